// Say in the form that starts a run what the collections chosen there would ask, and about what that costs.

import { count, dollars } from "./progress.js";

function forecast(form) {
  const boxes = [...form.querySelectorAll("[data-pending]")];
  const isAll = form.querySelector('[name="about"]:checked').value === "all";
  const chosen = isAll ? boxes : boxes.filter((box) => box.checked);
  const open = chosen.reduce((sum, box) => sum + Number(box.dataset.pending), 0);
  const said = form.querySelector("[data-forecast]");
  const each = form.dataset.perQuestion;
  const cost = each === undefined ? "" : `, about ${dollars(open * Number(each))}`;
  if (chosen.length === 0 && boxes.length > 0) said.textContent = "No collection is chosen.";
  else if (open === 0) said.textContent = "Nothing is open: nothing will be asked.";
  else said.textContent = `Asks ${count(open)} ${open === 1 ? "question" : "questions"}${cost}.`;
  form.querySelector("[data-run-word]").textContent = form.querySelector('[name="dry_run"]').checked ? "Dry run" : "Run";
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-run]");
  if (form) forecast(form);
});
