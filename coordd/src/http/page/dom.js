// Elements from values. Text becomes text nodes and nothing else: what znodes contain is a stranger's.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** Puts new children in the place of the old ones; the focus and what marks news (`data-key`) survive it. */
export function show(container, ...children) {
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const known = new Map([...container.querySelectorAll("[data-key]")].map((e) => [e.dataset.key, e.textContent]));
  const scroll = container.querySelector("ul, pre")?.scrollTop ?? 0;
  container.replaceChildren(...children.flat(Infinity));
  const list = container.querySelector("ul, pre");
  if (list) list.scrollTop = scroll;
  for (const element of container.querySelectorAll("[data-key]")) {
    const { key } = element.dataset;
    if (known.size > 0 && known.get(key) !== element.textContent) element.classList.add("news");
    if (key === focused) element.focus();
  }
}

/** A table of rows that are keyed: `[key, cell, cell, …]`; a cell is text or an element. */
export function table(caption, heads, rows) {
  const head = h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map(([key, ...cells]) => h("tr", { "data-key": key }, cells.map((cell) => h("td", {}, cell))));
  const whole = h("table", { "aria-label": caption }, h("thead", {}, head), h("tbody", {}, body));
  return h("div", { class: "scroll" }, whole);
}

export const empty = (text) => h("p", { class: "empty" }, text);

export const problem = ({ title, detail, what_to_do }) =>
  h("div", { class: "problem", role: "alert" },
    h("strong", {}, title), h("p", { class: "empty" }, `${detail}; ${what_to_do}.`));

export const tags = (values) => Object.entries(values).map(([key, value]) => h("span", { class: "tag" }, `${key}=${value}`));
