// Select items in a collection's list by click, Shift or box. The selection lives as long as the tab, and leaving asks.

const list = () => document.querySelector("#list");
const form = () => document.querySelector("#choose");
const store = `kometa-ai-selected ${list().dataset.collection}`;
const selected = new Set(document.querySelector("[data-done]") ? [] : JSON.parse(sessionStorage.getItem(store) ?? "[]"));
let isSelecting = selected.size > 0;
let isSending = false;
let anchor = null;

const ITEM = ".places > .tile, .places > tbody > tr";
const shown = () => [...document.querySelectorAll(ITEM)];
/** `movie:603`: an item's page is named by its key. */
const keyOf = (item) => item.querySelector("a").pathname.split("/").pop();
const boxOf = (item) => item.querySelector('input[type="checkbox"]');

function keep() {
  if (selected.size) sessionStorage.setItem(store, JSON.stringify([...selected]));
  else sessionStorage.removeItem(store);
}

/** Bring the list into line with what is selected; tiles get a box while the user selects. */
function show() {
  const button = document.querySelector("[data-select]");
  if (button) {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isSelecting));
  }
  list().classList.toggle("is-selecting", isSelecting);
  for (const item of shown()) {
    let box = boxOf(item);
    if (item.matches(".tile")) {
      if (!isSelecting) box?.remove();
      else if (!box) {
        box = document.createElement("input");
        box.type = "checkbox";
        box.setAttribute("aria-label", `Select ${item.querySelector("a b").textContent}`);
        item.append(box);
      }
    }
    if (box) box.checked = selected.has(keyOf(item));
  }
  const bar = form();
  if (!bar) return;
  const isAll = bar.elements.all.checked;
  bar.hidden = !isSelecting;
  bar.querySelector("[data-selected]").textContent = isAll ? "" : `${selected.size || "Nothing"} selected`;
  bar.querySelector("[data-clear]").hidden = false;
  for (const each of bar.querySelectorAll('[name="choice"]')) each.disabled = !isAll && !selected.size;
}

function mark(item, isIn) {
  if (isIn) selected.add(keyOf(item));
  else selected.delete(keyOf(item));
}

/** Select or clear an item; with Shift everything from the last one on. */
function choose(item, withRange) {
  const isIn = !selected.has(keyOf(item));
  const items = shown();
  const from = items.findIndex((each) => keyOf(each) === anchor);
  const at = items.indexOf(item);
  if (withRange && from >= 0) {
    for (const each of items.slice(Math.min(from, at), Math.max(from, at) + 1)) mark(each, isIn);
  } else mark(item, isIn);
  anchor = keyOf(item);
  isSelecting = true;
  keep();
  show();
}

document.addEventListener("click", (event) => {
  const at = event.target;
  if (!(at instanceof Element)) return;
  const item = at.closest(ITEM);
  if (at.closest("[data-select]")) {
    isSelecting = !isSelecting || selected.size > 0;
    show();
  } else if (at.closest("[data-clear]")) {
    selected.clear();
    isSelecting = false;
    form().elements.all.checked = false;
    keep();
    show();
    document.querySelector("[data-select]")?.focus();
  } else if (item && at.matches('input[type="checkbox"]')) {
    choose(item, event.shiftKey);
  } else if (item && isSelecting && at.closest(".tile > a") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    choose(item, event.shiftKey);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.name === "all") show();
});
document.addEventListener("submit", (event) => {
  isSending = event.target === form();
});
document.addEventListener("formdata", (event) => {
  if (event.target !== form()) return;
  event.formData.delete("keys");
  for (const key of selected) event.formData.append("keys", key);
});
addEventListener("beforeunload", (event) => {
  if (selected.size && !isSending) event.preventDefault();
});
document.addEventListener("htmx:after:swap", show);

for (const box of document.querySelectorAll(".places input:checked")) selected.add(box.value);
keep();
show();
document.querySelector(".one-line [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
