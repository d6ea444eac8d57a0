// The page: which place is shown, and that it follows the address.

import * as ensemble from "./ensemble.js";
import { login, onLine } from "./live.js";
import { here } from "./place.js";
import * as tree from "./tree.js";
import { VIEW } from "./views.js";

let endings = [];

function open() {
  const place = here();
  endings.forEach((end) => end());
  const view = document.getElementById("view");
  view.replaceChildren();
  endings = [tree.open(place), ...VIEW[place.view](view, place.path)];
}

const credentials = document.querySelector("#login form");
credentials.addEventListener("submit", (event) => {
  event.preventDefault();
  const { user, password } = credentials;
  login(user.value, password.value);
  document.querySelector("#login summary").textContent = user.value || "Anonymous";
  document.getElementById("login").open = false;
  password.value = "";
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

onLine((why) => {
  const line = document.getElementById("line");
  line.className = why === null ? "good" : "bad";
  line.textContent = why === null ? "● live" : `What is shown may be old: ${why}.`;
});

ensemble.start();
tree.start();
addEventListener("hashchange", open);
open();
