// Look whether the program still waits for the same settings; show the page anew when it does not.

import { offerCopying } from "./copying.js";

const EVERY = 5000;
const shown = document.querySelector("[data-waits-for]").dataset;

async function look() {
  try {
    const found = await (await fetch(shown.health)).json();
    if (found.state !== shown.state || found.problem !== shown.waitsFor) location.reload();
  } catch {
    // It is just being started anew: look again.
  }
}

offerCopying(document);
setInterval(look, EVERY);
