// Count the boxes that are ticked of a list, and tick all of them or none.

import { count } from "./progress.js";

function tally(form) {
  const boxes = [...form.querySelectorAll('[name="movies"]')];
  const ticked = boxes.filter((box) => box.checked).length;
  for (const place of form.querySelectorAll("[data-ticked]")) place.textContent = count(ticked);
  const all = form.querySelector("[data-tick-all]");
  all.hidden = false;
  all.textContent = ticked ? "Tick none" : "Tick all";
}

for (const form of document.querySelectorAll("[data-ticks]")) {
  tally(form);
  form.addEventListener("change", () => tally(form));
  form.querySelector("[data-tick-all]").addEventListener("click", () => {
    const boxes = [...form.querySelectorAll('[name="movies"]')];
    const isAny = boxes.some((box) => box.checked);
    for (const box of boxes) box.checked = !isAny;
    tally(form);
  });
}
