/* Keeps one fact in the browser until that is closed: a cookie without an end. */
export default ({ data }) => {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data}; Path=/; SameSite=Strict${secure}`;
};
