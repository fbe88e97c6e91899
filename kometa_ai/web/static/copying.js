// Buttons that copy the text beside them.

const SAID = 2000;

/** Show the buttons, which do nothing without script. */
export function offerCopying(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

/** Whether the text was copied. Browsers give pages without HTTPS no clipboard; there it is selected and copied. */
async function isCopied(block) {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(block.textContent);
      return true;
    }
  } catch {
    // Not allowed: the other way may be.
  }
  getSelection().selectAllChildren(block);
  return document.execCommand("copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-copy]");
  if (!button) return;
  const word = button.querySelector("span");
  const isDone = await isCopied(button.closest(".copy").querySelector("pre"));
  word.textContent = isDone ? "Copied" : "Selected";
  setTimeout(() => (word.textContent = "Copy"), SAID);
});
