// The members as this one knows them, and whether it serves.

import { empty, h, show } from "./dom.js";
import { follow, onZxid } from "./live.js";

const self = document.documentElement.dataset.member;

export function start() {
  const serving = document.getElementById("serving");
  const container = document.getElementById("ensemble");
  follow("/readyz", ({ status, body }) => {
    serving.className = `pill ${status === 200 ? "good" : "bad"}`;
    serving.textContent = status === 200 ? "serving" : body.trim();
  });
  follow("/v1/ensemble", ({ body }) => {
    if (body.members.length === 0) return show(container, empty("No member of any ensemble yet."));
    show(container, body.members.map((member) => card(member, body)));
  });
  const newest = document.getElementById("zxid");
  onZxid((zxid) => {
    newest.textContent = `zxid ${zxid}`;
  });
}

function card(member, { term }) {
  const own = member.name === self;
  const name = own ? h("strong", {}, `${member.name} · this one`)
    : h("a", { href: `http://${member.addresses.http}/${location.hash}` }, member.name);
  const role = member.role === "leader" ? `leader in term ${term}` : member.role;
  const lag = member.lag === null ? "" : `${member.lag} behind`;
  const kind = member.role === "leader" ? "good" : member.role === "candidate" ? "warn" : "dim";
  return h("div", { class: `member ${member.role}`, "data-key": `member ${member.id}` },
    h("p", {}, name, h("span", { class: kind }, role)),
    h("p", {}, h("code", {}, member.addresses.client), lag));
}
