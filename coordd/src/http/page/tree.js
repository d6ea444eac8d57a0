// Where in the tree one is, and what lies below.

import { empty, h, problem, show } from "./dom.js";
import { follow } from "./live.js";
import { VIEWS, child, cleaned, link, names, parent, url } from "./place.js";

/** More than a person reads; the filter finds the rest. */
const SHOWN = 500;

const container = document.getElementById("children");
const filter = document.getElementById("filter");
let known = null;
let place = { view: "znode", path: "/" };

export function start() {
  filter.addEventListener("input", render);
  document.getElementById("go").addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = link(place.view, cleaned(event.target.path.value));
  });
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input");
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      document.getElementById("path").select();
    }
  });
  container.addEventListener("keydown", move);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") container.querySelector("a")?.focus();
  });
}

/** Shows another place; returns what ends it. */
export function open(next) {
  const moved = next.path !== place.path;
  place = next;
  crumbs();
  if (moved) {
    filter.value = "";
    container.replaceChildren();
    known = null;
  }
  return follow(url("znodes", place.path, "?children"), (answer) => {
    known = answer;
    render();
  });
}

function crumbs() {
  const all = names(place.path);
  const steps = ["/", ...all].map((name, at) => ({ name, path: `/${all.slice(0, at).join("/")}` }));
  const item = ({ name, path }) => h("li", {}, h("a", { href: link(place.view, path),
    "aria-current": path === place.path ? "page" : null, "aria-label": path === "/" ? "root" : null }, name));
  document.getElementById("crumbs").replaceChildren(...steps.map(item));
  document.getElementById("path").value = place.path;
  const views = Object.entries(VIEWS).map(([view, title]) => h("a",
    { href: link(view, place.path), "aria-current": view === place.view ? "page" : null }, title));
  document.getElementById("views").replaceChildren(...views);
}

function render() {
  if (known === null) return;
  if (known.status !== 200) return show(container, known.status === 404 ? empty("No such znode.") : problem(known.body));
  const all = known.body.children;
  const found = all.filter((name) => name.includes(filter.value));
  const item = (name) => h("li", {},
    h("a", { href: link(place.view, child(place.path, name)), "data-key": name }, name));
  const count = `${found.length === all.length ? "" : `${found.length} of `}${all.length} in all`;
  const more = found.length > SHOWN ? `, the first ${SHOWN}: filter for the others` : "";
  const list = all.length === 0 ? [empty("None.")] : [h("ul", {}, found.slice(0, SHOWN).map(item)), empty(count + more)];
  show(container, list);
}

/** Up, Down, Home, End among the children; Left to the parent, Right into one. */
function move(event) {
  const links = [...container.querySelectorAll("a")];
  const at = links.indexOf(event.target);
  const to = { ArrowUp: links[at - 1] ?? filter, ArrowDown: links[at + 1], Home: links[0], End: links.at(-1) }[event.key];
  if (to) to.focus();
  else if (event.key === "ArrowLeft") location.hash = link(place.view, parent(place.path));
  else if (event.key === "ArrowRight" && at >= 0) links[at].click();
  else return;
  event.preventDefault();
}
