// Where the page is: a path of the tree and a way to read it, both in the address after `#`, such as
// `#service/services/orders`. So each place can be linked to, and the browser's Back goes back.

export const VIEWS = { znode: "Znode", service: "Service", leader: "Leader", config: "Configuration" };

export function here() {
  const text = location.hash.slice(1);
  const slash = text.indexOf("/");
  const view = slash < 0 ? text : text.slice(0, slash);
  const encoded = slash < 0 ? "" : text.slice(slash + 1);
  return { view: view in VIEWS ? view : "znode", path: cleaned(decoded(encoded)) };
}

export const link = (view, path) => `#${view}/${encoded(path).slice(1)}`;

/** The same in a URL of the API; the root is the route alone. */
export const url = (route, path, query = "") => `/v1/${route}${path === "/" ? "" : encoded(path)}${query}`;

export const child = (path, name) => (path === "/" ? `/${name}` : `${path}/${name}`);

export const parent = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

export const names = (path) => path.split("/").filter((name) => name !== "");

/** A path as a person may write it. */
export const cleaned = (text) => `/${names(text.trim()).join("/")}`;

const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
