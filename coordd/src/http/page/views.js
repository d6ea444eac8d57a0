// A path, read in four ways. Each view follows what it needs and returns what ends it.

import { empty, h, problem, show, table, tags } from "./dom.js";
import { follow } from "./live.js";
import { link, names, url } from "./place.js";

const TEXT_SHOWN = 65_536;
const BYTES_SHOWN = 1024;
const STATES = { up: "good", starting: "warn", stopping: "warn", down: "bad" };

export const VIEW = { znode, service, leader, config };

/** Follows one answer into a part of the view. */
function part(container, address, render) {
  const place = h("div");
  container.append(place);
  return follow(address, ({ status, body }) => show(place, status === 200 ? render(body) : problem(body)));
}

const code = (text) => h("code", {}, text);
const text = (value) => (value === null ? "–" : `${value}`);
const moment = (ms) => h("time", { datetime: new Date(ms).toISOString() }, new Date(ms).toLocaleString());

function znode(container, path) {
  return [part(container, url("znodes", path), (body) => [
    h("div", { "data-key": "data" }, data(body)),
    h("h3", {}, "Stat"),
    stat(body.stat),
  ])];
}

function data({ data: value, encoding, stat: { data_length: length } }) {
  if (value === null) return empty("It was given no data.");
  if (value === "") return empty("Its data is empty.");
  if (encoding === "base64") return h("pre", { tabindex: 0, "aria-label": "Data, in hexadecimal" }, hex(atob(value)));
  const cut = value.length > TEXT_SHOWN ? `\n… the first ${TEXT_SHOWN} characters of ${length} bytes` : "";
  return h("pre", { tabindex: 0, "aria-label": "Data" }, pretty(value).slice(0, TEXT_SHOWN) + cut);
}

function pretty(value) {
  try {
    const parsed = JSON.parse(value);
    return typeof parsed === "object" && value.length <= TEXT_SHOWN ? JSON.stringify(parsed, null, 2) : value;
  } catch {
    return value;
  }
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, BYTES_SHOWN); at += 16) {
    const line = [...bytes.slice(at, at + 16)];
    const digits = line.map((byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
    const plain = line.map((byte) => (byte >= " " && byte <= "~" ? byte : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(48)} ${plain}`);
  }
  if (bytes.length > BYTES_SHOWN) lines.push(`… the first ${BYTES_SHOWN} of ${bytes.length} bytes`);
  return lines.join("\n");
}

function stat(found) {
  const owner = found.ephemeral_owner === null ? "none: it stays" : `session ${found.ephemeral_owner}`;
  const lines = [
    ["Created", moment(found.ctime), ` at zxid ${found.czxid}`],
    ["Data changed", moment(found.mtime), ` at zxid ${found.mzxid}, version ${found.version}`],
    ["Children changed", `at zxid ${found.pzxid}, version ${found.cversion}`],
    ["ACL", `version ${found.aversion}`],
    ["Ephemeral", owner],
    ["Size", `${found.data_length} bytes, ${found.num_children} children`],
  ];
  return h("dl", {}, lines.map(([term, ...what]) => [h("dt", {}, term), h("dd", { "data-key": term }, what)]));
}

function service(container, path) {
  return [
    part(container, url("services", path), (body) => [
      h("p", { class: "big" }, body.format === null ? "Nothing is registered here that would tell its format"
        : `${body.instances.length} registered as ${body.format}`),
      body.instances.length === 0 ? empty("No instances.") : instances(body.instances),
      body.rejected.length === 0 ? [] : [
        h("h3", {}, `Rejected (${body.rejected.length})`),
        table("Rejected", ["Znode", "Why"], body.rejected.map((r) => [`- ${r.znode}`, znodeLink(r.znode, names(r.znode).at(-1)), r.reason])),
      ],
    ]),
    part(container, url("services", path, "?list"), (body) => (body.services.every((s) => s.children === 0) ? [] : [
      h("h3", {}, "Services below"),
      table("Services below", ["Name", "Children"], body.services.map((s) =>
        [`s ${s.path}`, h("a", { href: link("service", s.path) }, s.name), text(s.children)])),
    ])),
  ];
}

function instances(all) {
  const row = (i) => [`i ${i.znode}`, znodeLink(i.znode, i.id), code(i.address),
    Object.entries(i.ports).map(([name, port]) => h("span", { class: "tag" }, `${name} ${port}`)),
    h("span", { class: STATES[i.state] }, i.state), text(i.zone), text(i.weight), tags(i.metadata), `${i.since}`];
  return table("Instances", ["Id", "Address", "Ports", "State", "Zone", "Weight", "Metadata", "Since zxid"], all.map(row));
}

const znodeLink = (path, name = path) => h("a", { href: link("znode", path) }, name);

function leader(container, path) {
  return [part(container, url("leader", path), (body) => {
    if (body.leader === null) return empty("Nobody stands for election here.");
    const lead = body.leader;
    const facts = [["Recipe", text(body.recipe)], ["Fencing token", text(body.fencing_token)], ["Znode", lead.znode]];
    const rows = body.candidates.map((c, at) =>
      [`c ${c.znode}`, `${at + 1}`, text(c.id), znodeLink(c.znode), text(c.since)]);
    return [
      h("p", { class: "big", "data-key": "leader" }, h("strong", {}, lead.id ?? lead.znode), " leads"),
      h("dl", {}, facts.map(([term, what]) => [h("dt", {}, term), h("dd", {}, code(what))])),
      h("h3", {}, "Candidates, in their order"),
      table("Candidates", ["", "Id", "Znode", "Since zxid"], rows),
    ];
  })];
}

function config(container, path) {
  return [part(container, url("config", path, "?recurse"), (body) => {
    const values = Object.entries(body.values);
    const rows = values.map(([key, value]) => [`v ${key}`, code(key === "" ? "(the znode itself)" : key), code(value)]);
    const left = body.left_out.map((l) => [`- ${l.key}`, code(l.key), l.reason]);
    return [
      values.length === 0 ? empty("No values.") : table("Values", ["Key", "Value"], rows),
      left.length === 0 ? [] : [h("h3", {}, "Left out"), table("Left out", ["Key", "Why"], left)],
    ];
  })];
}
