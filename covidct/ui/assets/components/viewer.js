/* The bar below slice and overlay: swipe, overlay off and on, zoom of both, full screen.

It acts on the container around it and on nothing that Streamlit draws: CSS does the rest by the
container's data and variables. What is set lasts from slice to slice. The verdict is spoken. */
const LEAST = 1, MOST = 8, STEP = 1.25;
const set = { swipe: false, covered: true, cut: 50, zoom: 1, x: 0, y: 0 };
const mounted = new WeakMap();

export default ({ data, parentElement }) => {
  if (!mounted.has(parentElement)) mounted.set(parentElement, mount(data.texts, parentElement));
  const { spoken, leave } = mounted.get(parentElement);
  spoken.textContent = data.spoken; // screen readers say what changes there
  return leave;
};

function mount(texts, parentElement) {
  const viewer = parentElement.closest(".st-key-viewer");
  const listeners = new AbortController();
  const hear = (target, event, react, more = {}) =>
    target.addEventListener(event, react, { signal: listeners.signal, ...more });

  const button = (key, text, press) => {
    const made = document.createElement("button");
    made.type = "button";
    const shown = document.createElement("kbd");
    shown.textContent = key.toUpperCase();
    shown.setAttribute("aria-hidden", "true"); // aria-keyshortcuts says it
    made.append(text, shown);
    made.setAttribute("aria-keyshortcuts", key);
    hear(made, "click", press);
    return made;
  };
  const bar = document.createElement("div");
  bar.className = "cv-viewer";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", texts.bar);
  const cut = document.createElement("input");
  Object.assign(cut, { type: "range", min: 0, max: 100, value: set.cut, title: texts.cut });
  cut.setAttribute("aria-label", texts.cut);
  const covered = button("h", texts.overlay, () => change({ covered: !set.covered }));
  const swipe = button("s", texts.swipe, () => change({ swipe: !set.swipe }));
  const buttons = [
    covered,
    swipe,
    button("-", texts.out, () => zoom(1 / STEP)),
    button("+", texts.in, () => zoom(STEP)),
    button("0", texts.whole, () => change({ zoom: 1, x: 0, y: 0 })),
    button("f", texts.full, fill),
  ];
  bar.append(...buttons, cut);
  const spoken = document.createElement("p");
  spoken.className = "cv-spoken";
  spoken.setAttribute("role", "status");
  parentElement.replaceChildren(bar, spoken);

  function change(to) {
    Object.assign(set, to);
    const most = 50 * (1 - 1 / set.zoom); // percent of a picture that lies beyond its frame
    set.x = Math.min(most, Math.max(-most, set.x));
    set.y = Math.min(most, Math.max(-most, set.y));
    viewer.dataset.swipe = set.swipe;
    viewer.dataset.covered = set.covered;
    viewer.dataset.zoomed = set.zoom > 1;
    const values = { cut: `${set.cut}%`, zoom: set.zoom, x: `${set.x}%`, y: `${set.y}%` };
    for (const [name, value] of Object.entries(values)) viewer.style.setProperty(`--${name}`, value);
    const slice = viewer.querySelector("img");
    if (slice) viewer.style.setProperty("--slice", `url("${slice.src}")`);
    covered.setAttribute("aria-pressed", set.covered);
    swipe.setAttribute("aria-pressed", set.swipe);
    cut.hidden = !set.swipe;
  }

  function zoom(by) {
    change({ zoom: Math.min(MOST, Math.max(LEAST, set.zoom * by)) });
  }

  function fill() {
    if (document.fullscreenElement) document.exitFullscreen();
    else viewer.requestFullscreen();
  }

  hear(cut, "input", () => change({ cut: Number(cut.value) }));
  hear(document, "keydown", (event) => {
    const typing = event.target.closest("input:not([type=range]), textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    buttons.find((one) => one.getAttribute("aria-keyshortcuts") === key)?.click();
  });
  // Arrow keys belong to a slider that has the focus, not to the buttons that they are short for
  hear(document.body, "keydown", (event) => {
    if (event.key.startsWith("Arrow") && event.target.closest("[role=slider], [type=range]"))
      event.stopPropagation();
  });
  hear(viewer, "load", () => change({}), { capture: true }); // another slice
  hear(viewer, "wheel", (event) => {
    if (!event.ctrlKey || !event.target.closest("img")) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY < 0 ? STEP : 1 / STEP);
  }, { passive: false });
  hear(viewer, "dblclick", (event) => {
    if (event.target.closest("img")) change(set.zoom > 1 ? { zoom: 1 } : { zoom: 2 });
  });
  hear(viewer, "dragstart", (event) => event.preventDefault());
  hear(viewer, "pointermove", (event) => {
    const picture = event.buttons === 1 && event.target.closest("img");
    if (!picture) return;
    const box = picture.parentElement.getBoundingClientRect();
    if (set.zoom > 1) {
      const moved = 100 / set.zoom;
      change({
        x: set.x + (moved * event.movementX) / box.width,
        y: set.y + (moved * event.movementY) / box.height,
      });
    } else if (set.swipe) {
      cut.value = (100 * (event.clientX - box.left)) / box.width;
      change({ cut: Number(cut.value) });
    }
  });

  change({});
  const leave = () => {
    listeners.abort();
    mounted.delete(parentElement);
  };
  return { spoken, leave };
}
