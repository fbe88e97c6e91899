// Show on every page how far the present run has come: by events, or by asking now and then where none come.

import { call } from "./page.js";

const SILENCE = 10_000;
const EVERY = 5_000;
const AT_REST = 30_000;

const base = document.querySelector('meta[name="url-base"]').content;
const bar = document.querySelector("#going");
const said = document.querySelector("[data-progress-said]");
let runId = bar.dataset.runId;
let source = null;
let opened = 0;
let heard = Date.now();
let asked = 0;
let isDue = false;
let told = "";

export const count = (number) => number.toLocaleString("en-US");
export const dollars = (amount) =>
  0 < amount && amount < 0.01
    ? "under $0.01"
    : amount.toLocaleString("en-US", { style: "currency", currency: "USD" });

const say = (text) => (said.textContent = text);
const percent = (run) => (run.total ? Math.min(100, Math.floor((run.done * 100) / run.total)) : null);

/** Let the parts that depend on runs be fetched again: at once, or when no dialog stands open any more. */
function refresh() {
  isDue = document.querySelector("dialog[open]") !== null;
  if (isDue) return;
  // In a first start another page comes in the place of this one.
  if (document.querySelector("[data-reload]")) location.assign(location.pathname);
  else document.body.dispatchEvent(new CustomEvent("runs-changed"));
}

function howFar(run) {
  const parts = run.total ? [`${count(run.done)} of ${count(run.total)} ${run.counted}`] : [];
  const limit = run.max_cost_usd;
  if (run.cost_usd || limit !== null) {
    parts.push(dollars(run.cost_usd) + (limit === null ? "" : ` of at most ${dollars(limit)}`));
  }
  return parts.join(" · ");
}

function fill(progress, run) {
  if (run.total) {
    progress.max = run.total;
    progress.value = run.done;
  } else {
    progress.removeAttribute("value");
  }
}

/** At each step and at each tenth of it, for who listens. */
function speak(run, share) {
  const now = `${run.step} ${share === null ? "" : Math.floor(share / 10)}`;
  if (now !== told) say(share ? `${run.step}, ${Math.floor(share / 10) * 10} percent` : run.step);
  told = now;
}

function show(run) {
  const share = percent(run);
  bar.hidden = false;
  bar.querySelector("[data-going-word]").textContent = share === null ? "Running" : `Running ${share} %`;
  fill(bar.querySelector("progress"), run);
  const panel = document.querySelector("[data-live]");
  if (!panel) return;
  panel.querySelector("[data-live-step]").textContent = run.step;
  panel.querySelector("[data-live-count]").textContent = howFar(run);
  fill(panel.querySelector("[data-live-bar]"), run);
  speak(run, share);
}

function isOn(run) {
  const isNew = run.run_id !== runId;
  const stops = run.status === "stopping" && document.querySelector("[data-live] [data-opens=stop]");
  runId = run.run_id;
  show(run);
  if (isNew) say("A run has begun.");
  if (isNew || stops) refresh();
}

function isOver(outcome, last) {
  const shown = document.querySelector("[data-last-run]")?.dataset.lastRun ?? last;
  if (runId) say(outcome ? `The run has ended: ${outcome}.` : "The run has ended.");
  if (runId || shown !== last) refresh();
  runId = told = "";
  bar.hidden = true;
}

async function ask() {
  asked = Date.now();
  const [answer, status] = await call("GET", "/api/v1/status");
  if (answer !== 200) return;
  if (!status.run_id) return isOver("", status.last_run_id ?? "");
  const [found, run] = await call("GET", `/api/v1/runs/${status.run_id}`);
  if (found === 200 && run.status !== "finished") isOn(run);
}

function listen() {
  opened = heard = Date.now();
  source = new EventSource(`${base}/api/v1/events`);
  const on = (name, then) =>
    source.addEventListener(name, (event) => {
      heard = Date.now();
      then(JSON.parse(event.data));
    });
  on("begun", isOn);
  on("progress", isOn);
  on("step", (begun) => {
    const steps = document.querySelector("[data-steps]");
    if (steps && !steps.textContent.includes(begun.step)) refresh();
  });
  on("ended", (run) => isOver(run.outcome, run.run_id));
}

// Browsers allow few connections to a host: a page in the background has none.
function leave() {
  source?.close();
  source = null;
}

function comeBack() {
  if (source || document.hidden) return;
  listen();
  ask();
}

setInterval(() => {
  const now = Date.now();
  if (!source || now - heard < SILENCE) return;
  const isOpen = source.readyState === EventSource.OPEN;
  if (now - asked >= (runId || !isOpen ? EVERY : AT_REST)) ask();
  if (source.readyState === EventSource.CLOSED && now - opened >= AT_REST) {
    leave();
    listen();
  }
}, 1_000);

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : comeBack()));
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => event.persisted && comeBack());
document.addEventListener("close", () => isDue && refresh(), true);

/** What was made from an index that lacks the latest is fetched once more. */
function again() {
  if (document.querySelector("[data-again]")) setTimeout(refresh, 3_000);
}

let held = null;
document.addEventListener("htmx:before:swap", () => {
  held = document.activeElement?.closest("#parts") ? document.activeElement.getAttribute("href") : null;
});
document.addEventListener("htmx:after:swap", () => {
  if (held) document.querySelector(`#parts [href="${CSS.escape(held)}"]`)?.focus();
  again();
});

again();
if (!document.hidden) {
  listen();
  if (runId) ask();
}
