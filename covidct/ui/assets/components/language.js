/* Tells the browser, and whoever reads the page aloud, what language the page is in. */
export default ({ data }) => {
  document.documentElement.lang = data;
  return () => {
    document.documentElement.lang = "en";
  };
};
