// What every page has: keys, dialogs, copying, and the focus after a part of the page was swapped.

import { offerCopying } from "./copying.js";

const SINGLE_KEYS = "kometa-ai-single-keys";
const PLACES = { o: "/", c: "/collections", r: "/review", m: "/movies", u: "/runs" };
const base = document.querySelector('meta[name="url-base"]').content;
let isGoing = false;

export const singleKeysAct = () => localStorage.getItem(SINGLE_KEYS) !== "off";

/** Whether a key press may act by itself: not in a field, in a dialog, or with a modifier. */
export function isFree(event) {
  const at = event.target;
  return (
    singleKeysAct() &&
    !event.ctrlKey &&
    !event.metaKey &&
    !event.altKey &&
    !event.defaultPrevented &&
    !document.querySelector("dialog[open]") &&
    !(at instanceof Element && at.closest("input, textarea, select, [contenteditable]"))
  );
}

/** Call the API as the page's visitor. Resolves to [status, data]; status 0 is a lost connection, or none in `patience` seconds. */
export async function call(method, path, body, patience) {
  const token = document.querySelector('meta[name="page-token"]').content;
  const headers = { "X-Page-Token": token, ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  try {
    const signal = patience && AbortSignal.timeout?.(patience * 1000);
    const answer = await fetch(base + path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
    return [answer.status, await answer.json().catch(() => ({}))];
  } catch {
    return [0, { error: "The program does not answer.", remedy: "Look whether it runs." }];
  }
}

/** Show what works with script alone, in what has just come into the page. */
export function prepare(root) {
  offerCopying(root);
  // Without script it stands open on the page; with it nothing behind it is to be reached.
  for (const dialog of root.querySelectorAll("dialog[open]:not(:modal)")) {
    dialog.close();
    dialog.showModal();
  }
  for (const opener of root.querySelectorAll("[data-opens]")) opener.setAttribute("aria-haspopup", "dialog");
}

document.addEventListener("keydown", (event) => {
  if (!isFree(event)) return;
  if (isGoing && event.key in PLACES) {
    event.preventDefault();
    event.stopImmediatePropagation();
    location.assign(base + PLACES[event.key]);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("#search").focus();
  } else if (event.key === "?") {
    event.preventDefault();
    document.querySelector("#keys").showModal();
  }
  isGoing = event.key === "g";
});

document.addEventListener("click", async (event) => {
  const at = event.target;
  if (!(at instanceof Element)) return;
  const opener = at.closest("[data-opens]");
  if (opener && !event.ctrlKey && !event.metaKey) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (dialog) {
      event.preventDefault();
      dialog.showModal();
    }
    return;
  }
  const closer = at.closest("[data-closes]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
    return;
  }
});

const box = document.querySelector("[data-single-keys]");
if (box) {
  box.checked = singleKeysAct();
  box.addEventListener("change", () => localStorage.setItem(SINGLE_KEYS, box.checked ? "on" : "off"));
}

prepare(document);
document.querySelector("[data-focus]")?.focus();
document.addEventListener("htmx:after:swap", () => {
  prepare(document);
  const review = document.querySelector("[data-review]")?.dataset.review;
  for (const badge of review ? document.querySelectorAll("[data-review-count]") : []) {
    badge.firstChild.textContent = Number(review).toLocaleString("en");
  }
  document.querySelector("[data-focus]")?.focus();
});
