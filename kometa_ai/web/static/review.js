// Review: answer cards by keys and buttons without waiting for the server; in the grid, move posters between its sides.

import { isFree } from "./page.js";
import { Outbox } from "./outbox.js";

const STEPS = 100;
const FEW = 6;
const PART = 24;
const WORDS = { in: "it belongs", out: "it does not", leave: "left to the model" };
const base = document.querySelector('meta[name="url-base"]').content;
const desk = document.querySelector("#desk");

const filter = document.querySelector("[data-filter]");
if (filter) {
  for (const button of filter.querySelectorAll("button")) button.hidden = !button.hidden;
  filter.addEventListener("change", () => filter.requestSubmit());
}
if (desk?.dataset.view === "cards") reviewCards();
if (desk?.dataset.view === "grid") reviewGrid();
const undoForm = document.querySelector("#undo");
if (desk?.dataset.view !== "cards" && undoForm?.elements.group.value) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "u" && !event.repeat && isFree(event)) undoForm.requestSubmit();
  });
}

function reviewGrid() {
  const sides = { in: desk.querySelector('[data-side="in"]'), out: desk.querySelector('[data-side="out"]') };
  const announced = desk.querySelector("[data-announced]");
  desk.addEventListener("change", (event) => {
    const tile = event.target.closest("[data-tile]");
    if (!tile) return;
    const side = event.target.checked ? "in" : "out";
    sides[side].append(tile);
    for (const list of Object.values(sides)) {
      list.closest("section").querySelector("[data-side-count]").textContent = list.children.length;
    }
    event.target.focus({ preventScroll: true });
    announced.textContent = `${tile.querySelector(".title").textContent}: ${side}`;
  });
}

function reviewCards() {
  const { sitting, kind, collection, past } = desk.dataset;
  const place = desk.querySelector("[data-cards]");
  const form = desk.querySelector("#answers");
  const told = desk.querySelector("[data-told]");
  const whole = desk.querySelector("form.leave");
  const undoer = desk.querySelector("[data-undo]");
  const start = Number(desk.dataset.at);
  let remaining = Number(desk.dataset.total);
  let decided = Number(desk.dataset.decided);
  let cards = [];
  let at = 0;
  let skipped = 0;
  let isWhole = false;
  let isFetching = false;
  let isLeaving = false;
  const known = new Set();
  const steps = past.split(" ").filter(Boolean).map((id) => ({ id, isGroup: id.endsWith("~") }));
  const outbox = new Outbox({ settled, stuck, idle });

  const pairOf = (ticket) => ticket.split(" ", 2).join(" ");
  const nameOf = (card) => `${card.node.dataset.name}, ${card.node.dataset.of}`;

  // Cards

  function take(root) {
    if (!root) return [];
    const nodes = [...root.querySelectorAll("article[data-card]")];
    for (const template of root.querySelectorAll("template[data-next]")) nodes.push(template.content.firstElementChild);
    return nodes.map((node) => ({ node, ticket: node.dataset.ticket, pair: pairOf(node.dataset.ticket) }));
  }

  function add(found) {
    const fresh = found.filter((card) => !known.has(card.pair));
    for (const card of fresh) known.add(card.pair);
    cards.push(...fresh);
    return fresh.length;
  }

  async function page(query) {
    const answer = await fetch(`${base}/review?${new URLSearchParams({ sitting, ...query })}`);
    if (answer.redirected) return stuck(401, {});
    if (!answer.ok) throw new Error(`${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function fetchMore() {
    if (isWhole || isFetching) return;
    isFetching = true;
    const wasIdle = outbox.entries.length === 0;
    let answer;
    try {
      // What the server still counts before the cards that are not here yet: an overlap is known, a gap would be lost.
      answer = await page({ kind, collection, at: start + skipped + cards.length, size: PART });
    } catch {
      return setTimeout(fetchMore, 3000);
    } finally {
      isFetching = false;
    }
    if (!answer) return;
    const found = take(answer);
    const isNews = add(found) > 0;
    isWhole = !isNews && (wasIdle || found.length < PART);
    if (isNews || isWhole) show();
    else if (outbox.entries.length === 0) fetchMore();
  }

  function show() {
    if (at >= cards.length) at = Math.max(0, cards.length - 1);
    const card = cards[at];
    for (const button of form.querySelectorAll("[name=answer]")) button.disabled = !card;
    undoer.disabled = !steps.length;
    count();
    if (!card) {
      const waiting = document.createElement("p");
      waiting.className = "panel empty";
      waiting.textContent = outbox.entries.length ? "The last answers are on their way …" : "Looking for more …";
      place.replaceChildren(waiting);
      return isWhole ? end() : fetchMore();
    }
    if (place.firstElementChild !== card.node) place.replaceChildren(card.node);
    form.elements.ticket.value = card.ticket;
    shorten(card.node.querySelector("[data-plot]"));
    preload(cards[at + 1]);
    preload(cards[at + 2]);
    if (cards.length < FEW) fetchMore();
  }

  function preload(card) {
    const source = card?.node.querySelector("img")?.getAttribute("src");
    if (source) new Image().src = source;
  }

  function shorten(plot) {
    if (!plot || plot.dataset.isShort) return;
    plot.dataset.isShort = "true";
    plot.classList.add("short");
    if (plot.scrollHeight <= plot.clientHeight + 2) return plot.classList.remove("short");
    const more = document.createElement("button");
    more.type = "button";
    more.className = "quiet small";
    more.dataset.more = "";
    more.append("More ", Object.assign(document.createElement("kbd"), { textContent: "space" }));
    plot.after(more);
  }

  function unfold() {
    const plot = place.querySelector("[data-plot]");
    if (!plot?.nextElementSibling?.matches("[data-more]")) return;
    const isShort = plot.classList.toggle("short");
    plot.nextElementSibling.firstChild.textContent = isShort ? "More " : "Less ";
  }

  function count() {
    const total = decided + remaining;
    desk.querySelector("[data-decided-count]").textContent = decided.toLocaleString("en");
    desk.querySelector("[data-total-count]").textContent = total.toLocaleString("en");
    Object.assign(desk.querySelector("progress"), { max: Math.max(1, total), value: decided });
    for (const badge of document.querySelectorAll("[data-review-count]")) badge.firstChild.textContent = wanting();
  }

  const before = Number(document.querySelector("[data-review-count]")?.firstChild.textContent.replaceAll(",", "") ?? 0);
  const decidedBefore = decided;
  const wanting = () => Math.max(0, before - (decided - decidedBefore)).toLocaleString("en");

  // The numbers in the drop-downs and on the button for a whole part go with the answers.
  function tally(card, change) {
    for (const name of ["kind", "collection"]) {
      for (const option of filter?.elements[name].options ?? []) {
        if (option.value && option.value !== card.node.dataset[name]) continue;
        const [word, number] = option.textContent.trim().split(/ · (?=[\d,]+$)/);
        if (number) option.textContent = `${word} · ${shift(number, change)}`;
      }
    }
    if (!whole) return;
    const button = whole.querySelector("button:not([type=hidden])");
    const count = whole.elements.count;
    const before = Number(count.value).toLocaleString("en");
    count.value = Number(count.value) + change;
    button.textContent = button.textContent.replace(before, Number(count.value).toLocaleString("en"));
    whole.hidden = count.value === "0";
  }

  const shift = (number, change) => Math.max(0, Number(number.replaceAll(",", "")) + change).toLocaleString("en");

  function announce(text) {
    const card = cards[at];
    const next = card ? ` ${nameOf(card)}: ${card.node.querySelector(".question").textContent.trim()}` : "";
    desk.querySelector("[data-announced]").textContent = `${text}${next}`;
  }

  function tell(kind, ...said) {
    const parts = said.filter(Boolean);
    told.className = `notice ${kind}`;
    told.hidden = !parts.length;
    const text = document.createElement("div");
    for (const part of parts) text.append(Object.assign(document.createElement("p"), { textContent: part }));
    told.replaceChildren(text);
    if (parts.length) desk.querySelector("[data-announced]").textContent = parts.join(" ");
  }

  // Answers

  function answer(reply) {
    const card = cards[at];
    if (!card || isLeaving) return;
    cards.splice(at, 1);
    const id = `${sitting}.${newId()}`;
    steps.push({ id, card });
    if (steps.length > STEPS) steps.shift();
    decided += 1;
    remaining -= 1;
    tally(card, -1);
    show();
    announce(`${WORDS[reply]}.`);
    outbox.add({ op: "answer", id, ticket: card.ticket, answer: reply });
  }

  function skip() {
    if (!cards[at] || isLeaving) return;
    cards.splice(at, 1);
    skipped += 1;
    show();
    announce("Skipped.");
  }

  function look(step) {
    const next = at + step;
    if (next < 0 || next >= cards.length) return announce(step < 0 ? "The first." : "The last.");
    at = next;
    show();
    announce("");
  }

  function undo() {
    const step = steps.pop();
    if (!step || isLeaving) return;
    if (step.isGroup) return leave(() => submitUndo(step.id.slice(0, -1)));
    decided -= 1;
    remaining += 1;
    const isWithdrawn = outbox.withdraw(step.id);
    // One that was answered before the page was opened is in no number of it.
    const isNew = !step.card && !step.pair;
    if (!isWithdrawn) outbox.add({ op: "undo", id: step.id, isShown: Boolean(step.card), isNew });
    if (step.card) tally(step.card, 1);
    if (step.card) bring(step.card);
    else if (isWithdrawn) bringAnew(step.pair, "Taken back.");
    count();
    announce("Taken back.");
  }

  function bring(card) {
    known.add(card.pair);
    cards = cards.filter((each) => each.pair !== card.pair);
    cards.splice(at, 0, card);
    show();
  }

  async function bringAnew(pair, ...why) {
    const answer = await page({ first: pair, size: 1 }).catch(() => undefined);
    if (!answer) return tell("warning", ...why);
    const [card] = take(answer);
    if (card?.pair !== pair) return tell("warning", ...why, "It wants no person any more.");
    bring(card);
    tell("warning", ...why);
    return card;
  }

  // What became of them

  async function settled(entries, status, data) {
    if (!told.dataset.isKept) tell("info");
    delete told.dataset.isKept;
    if (entries[0].op === "undo") return undone(entries[0], status, data);
    if (data.results) {
      for (const [place, entry] of entries.entries()) {
        if (data.results[place].result !== "kept") await refused(entry, `Not kept: ${title(entry)} has changed since you saw it.`);
      }
    } else if (status >= 300) {
      for (const entry of entries) await refused(entry, `Not kept: ${title(entry)}.`, data.error ?? `Status ${status}`, data.remedy ?? "");
    }
  }

  function title(entry) {
    const step = steps.find((each) => each.id === entry.id);
    return step?.card ? nameOf(step.card) : "an answer";
  }

  async function refused(entry, ...why) {
    const found = steps.findIndex((each) => each.id === entry.id);
    if (steps[found]?.card) tally(steps[found].card, 1);
    if (found >= 0) steps.splice(found, 1);
    decided = Math.max(0, decided - 1);
    remaining += 1;
    await bringAnew(pairOf(entry.ticket), ...why);
    told.dataset.isKept = "true";
    count();
  }

  async function undone(entry, status, data) {
    if (status === 200 && !entry.isShown) {
      const slug = data.key.startsWith("show:") ? `show:${data.slug}` : data.slug;
      const card = await bringAnew(`${data.key} ${slug}`, "Taken back.");
      if (card && entry.isNew) tally(card, 1);
    } else if (status === 409) {
      tell("warning", "Not taken back.", data.error);
      told.dataset.isKept = "true";
    }
  }

  function stuck(status, data, seconds) {
    delete told.dataset.isKept;
    const count = outbox.entries.length;
    const waits = count === 1 ? "1 answer waits to be kept." : `${count} answers wait to be kept.`;
    if (seconds) return tell("warning", data.error ?? "The program does not answer.", `${waits} Tried again in ${seconds} s.`);
    tell("error", status === 401 ? "You are not signed in any more." : "This page is out of date.", count ? waits : "");
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: "Open it anew" });
    link.addEventListener("click", () => (outbox.entries = []));
    told.firstElementChild.append(link);
  }

  function idle() {
    if (!cards.length && isWhole) end();
    else if (cards.length < FEW) fetchMore();
  }

  // Leaving

  function leave(go) {
    isLeaving = true;
    const wait = setInterval(() => {
      if (outbox.entries.length) return;
      clearInterval(wait);
      go();
    }, 20);
  }

  function submitUndo(group) {
    undoForm.elements.group.value = group;
    undoForm.requestSubmit();
  }

  function end() {
    if (isLeaving) return;
    const query = new URLSearchParams({ kind, collection, sitting, at: start + skipped });
    leave(() => location.replace(`${base}/review?${query}`));
  }

  // Keys and buttons

  const acts = {
    y: () => answer("in"),
    n: () => answer("out"),
    d: () => answer("leave"),
    s: skip,
    u: undo,
    o: () => place.querySelector("[data-opened]")?.click(),
    " ": unfold,
  };
  const looks = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
  document.addEventListener("keydown", (event) => {
    if (!isFree(event) || event.shiftKey) return;
    if (event.key === " " && event.target.closest("a, button, summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in looks) look(looks[key]);
    else if (key in acts && !event.repeat) acts[key]();
    else return;
    event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer(event.submitter.value);
  });
  form.querySelector("[data-skip]").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    skip();
  });
  whole?.addEventListener("submit", (event) => {
    if (!outbox.entries.length) return;
    event.preventDefault();
    leave(() => whole.requestSubmit());
  });
  undoer.addEventListener("click", (event) => {
    event.preventDefault();
    undo();
  });
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-more]")) unfold();
  });

  // What waits from before the page was opened anew is no card any more, and can be taken back.
  for (const { op, id, ticket } of outbox.entries) {
    if (op !== "answer") continue;
    known.add(pairOf(ticket));
    if (steps.some((step) => step.id === id)) continue;
    steps.push({ id, pair: pairOf(ticket) });
    decided += 1;
    remaining = Math.max(0, remaining - 1);
  }
  add(take(desk));
  const address = new URL(location.href);
  address.searchParams.set("sitting", sitting);
  for (const name of ["done", "first"]) address.searchParams.delete(name);
  history.replaceState(history.state, "", address);
  show();
  outbox.pump();
  desk.dataset.isReady = "true";
}

function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
