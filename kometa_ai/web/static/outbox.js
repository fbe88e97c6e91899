// Send answers one request after the other, in their order, and keep what is not sent yet for as long as the tab lives.

import { call } from "./page.js";

const MOST = 100;
const LONGEST_WAIT = 30;
const PATIENCE = 30;
const WAITING = "kometa-ai-answers";
const TO_RETRY = new Set([0, 429, 500, 502, 503, 504]);

const pause = (seconds) =>
  new Promise((done) => {
    const timer = setTimeout(finish, seconds * 1000);
    function finish() {
      clearTimeout(timer);
      removeEventListener("online", finish);
      done();
    }
    addEventListener("online", finish);
  });

/**
 * What is on its way: {op: "answer", id, ticket, answer} or {op: "undo", id}. `settled(entries, status, data)` hears what
 * became of each request, `stuck(status, data, seconds)` that one is tried again (or, without seconds, is not).
 */
export class Outbox {
  constructor({ settled, stuck, idle }) {
    this.settled = settled;
    this.stuck = stuck;
    this.idle = idle;
    this.entries = JSON.parse(sessionStorage.getItem(WAITING) ?? "[]");
    this.sent = 0;
    this.isBusy = false;
    addEventListener("beforeunload", (event) => {
      if (this.entries.length) event.preventDefault();
    });
  }

  /** Send an entry after all that wait. */
  add(entry) {
    this.entries.push(entry);
    this.#keep();
    this.pump();
  }

  /** Take an answer back that has not left yet; false if it has. */
  withdraw(id) {
    const at = this.entries.findIndex((entry, place) => place >= this.sent && entry.op === "answer" && entry.id === id);
    if (at < 0) return false;
    this.entries.splice(at, 1);
    this.#keep();
    return true;
  }

  /** Send what waits, until nothing does. */
  async pump() {
    if (this.isBusy) return;
    this.isBusy = true;
    let wait = 1;
    while (this.entries.length) {
      const isUndo = this.entries[0].op === "undo";
      const until = this.entries.findIndex((entry) => entry.op === "undo");
      const entries = isUndo ? this.entries.slice(0, 1) : this.entries.slice(0, until < 0 ? MOST : Math.min(until, MOST));
      this.sent = entries.length;
      const [status, data] = isUndo
        ? await call("DELETE", `/api/v1/review/answers/${entries[0].id}`, undefined, PATIENCE)
        : await call("POST", "/api/v1/review/answers", entries.map(asAnswer), PATIENCE);
      this.sent = 0;
      if (TO_RETRY.has(status)) {
        this.stuck(status, data, wait);
        await pause(wait);
        wait = Math.min(wait * 2, LONGEST_WAIT);
      } else if (status === 401 || status === 403) {
        this.stuck(status, data);
        break;
      } else {
        this.entries.splice(0, entries.length);
        this.#keep();
        wait = 1;
        await this.settled(entries, status, data);
      }
    }
    this.isBusy = false;
    if (!this.entries.length) this.idle();
  }

  #keep() {
    if (this.entries.length) sessionStorage.setItem(WAITING, JSON.stringify(this.entries));
    else sessionStorage.removeItem(WAITING);
  }
}

function asAnswer({ id, ticket, answer }) {
  const [key, slug, prompt, metadata, said] = ticket.split(" ");
  const known = (text) => (text === "-" ? "" : text);
  const seen = { prompt_hash: known(prompt), metadata_hash: known(metadata) };
  return { id, key, slug, answer, seen: { ...seen, confidence: said === "-" ? null : Number(said) } };
}
