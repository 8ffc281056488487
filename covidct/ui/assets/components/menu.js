/* Closes the menu of a narrow window once a page was chosen there.

Streamlit does so where the browser says that it runs on a phone. */
const NARROW = "(max-width: 768px)";

export default () => {
  const close = (event) => {
    if (!matchMedia(NARROW).matches || !event.target.closest("[data-testid=stSidebarNavLink]")) return;
    // After Streamlit had its turn: a menu that is closed has no such button
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
  };
  document.addEventListener("click", close);
  return () => document.removeEventListener("click", close);
};
