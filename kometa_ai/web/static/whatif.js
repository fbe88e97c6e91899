// Move a collection's threshold: the count at once, from the bars in the page; names from the server once it rests.

import { prepare } from "./page.js";

const REST = 150;
const TOLERANCE = 1e-6;
const STEPS = 20;

const figure = document.querySelector("[data-whatif]");
const slider = document.querySelector("#slide");

if (figure && slider) {
  const field = document.querySelector("#at");
  const { included, base, now, membersNow, slot } = figure.dataset;
  const counts = included.split(",").map(Number);
  const words = new Intl.NumberFormat("en-US");
  let waiting;
  let asked;

  /** How many would be in, as far as the page knows; the server has the last word. */
  const members = (threshold) =>
    Math.abs(threshold - Number(now)) < TOLERANCE
      ? Number(membersNow)
      : counts.reduce((sum, count, step) => sum + (step / STEPS >= threshold - TOLERANCE ? count : 0), Number(base));

  const show = (threshold) => {
    const edge = Math.ceil((threshold - TOLERANCE) * STEPS) * Number(slot);
    const line = figure.querySelector("[data-then]");
    line.setAttribute("x1", edge);
    line.setAttribute("x2", edge);
    const reach = figure.querySelector("[data-reach]");
    reach.setAttribute("x", edge);
    reach.setAttribute("width", Number(slot) * counts.length - edge);
    for (const bar of figure.querySelectorAll("[data-bar]")) {
      bar.classList.toggle("out", Number(bar.dataset.bar) * Number(slot) < edge);
    }
    const text = `${threshold.toFixed(2)}: ${words.format(members(threshold))} would be in`;
    slider.setAttribute("aria-valuetext", text);
    field.value = threshold.toFixed(2);
    document.querySelector("[data-as-now]").hidden = Math.abs(threshold - Number(now)) < TOLERANCE;
    return `At ${text} (now ${words.format(Number(membersNow))}).`;
  };

  /** Take the sentence and the names of this threshold from the server's page. */
  const foresee = async (threshold) => {
    asked?.abort();
    asked = new AbortController();
    const address = new URL(location.href);
    address.searchParams.set("at", threshold.toFixed(2));
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: asked.signal });
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!made.querySelector("#foreseen")) return location.assign(address);
      document.querySelector("#foreseen").replaceWith(made.querySelector("#foreseen"));
      prepare(document.querySelector("#foreseen"));
      document.querySelector("#sentence").textContent = made.querySelector("#sentence").textContent;
      history.replaceState(history.state, "", address);
    } catch (error) {
      if (error.name !== "AbortError") document.querySelector("#sentence").textContent = "The program does not answer.";
    }
  };

  const move = (threshold) => {
    const said = show(threshold);
    document.querySelector("#foreseen").setAttribute("aria-busy", "true");
    clearTimeout(waiting);
    document.querySelector("#sentence").textContent = said;
    waiting = setTimeout(() => foresee(threshold), REST);
  };

  slider.addEventListener("input", () => move(slider.valueAsNumber));
  field.addEventListener("input", () => {
    const threshold = field.valueAsNumber;
    if (!(threshold >= 0 && threshold <= 1)) return;
    const typed = field.value;
    slider.value = threshold;
    move(threshold);
    field.value = typed;
  });
  document.querySelector("[data-slide]").hidden = false;
  slider.setAttribute("aria-valuetext", `${slider.valueAsNumber.toFixed(2)}: ${words.format(members(slider.valueAsNumber))} would be in`);
}
