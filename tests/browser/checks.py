"""What holds for every page in a browser. Each check returns what is wrong, in words: a list that is to be empty.

Scripts are evaluated through the debugger, so that a page's policy stays as it is.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tests.browser.visiting import SCHEMES

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.browser.visiting import Visit

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2, levels A and AA, and what axe's makers think good practice."""
_AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_MANY_TABS = 400

_LOOK = """
rules => axe.run({
  runOnly: rules, resultTypes: ['violations'], rules: {'target-size': {enabled: true}}, elementRef: false,
}).then(found => found.violations.map(each => ({
  id: each.id, help: each.help, nodes: each.nodes.map(node => ({
    html: node.html, why: [...node.any, ...node.all, ...node.none].map(check => check.message),
  })),
})))
"""
_WIDE = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  const sticksOut = element => element.getBoundingClientRect().right > width + 0.5;
  const found = [...document.body.querySelectorAll('*')].filter(
    element => sticksOut(element) && ![...element.children].some(sticksOut));
  const named = found.map(element => `${Math.ceil(element.getBoundingClientRect().right)} px: `
    + element.outerHTML.slice(0, 200));
  return [`${document.scrollingElement.scrollWidth} px wide, in a window of ${width} px`, ...named.slice(0, 5)];
}
"""
# A group of radio buttons is one stop of the Tab key; what is inert, hidden or folded away is none.
_STOPS = """
() => {
  const groups = new Set();
  const stops = [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [contenteditable], [tabindex]')];
  window.theStops = stops.filter(stop => {
    if (stop.matches(':disabled') || stop.tabIndex < 0 && stop.hasAttribute('tabindex') && !stop.matches(
      'a[href], button, input, select, textarea, summary')) return false;
    if (stop.closest('[inert], [aria-hidden=true]') || !stop.checkVisibility({visibilityProperty: true})) return false;
    if (stop.type !== 'radio' || !stop.name) return true;
    const group = `${[...document.forms].indexOf(stop.form)} ${stop.name}`;
    return !groups.has(group) && groups.add(group);
  });
  // The next Tab begins at the top, wherever the focus has been.
  document.body.tabIndex = -1;
  document.body.focus({preventScroll: true});
  document.body.removeAttribute('tabindex');
  window.theReached = new Set();
  return theStops.length;
}
"""
_REACHED = """
() => {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return {end: true};
  const isGrouped = element.type === 'radio' && element.name;
  const isOfGroup = each => each.type === 'radio' && each.name === element.name && each.form === element.form;
  const stop = isGrouped ? theStops.find(isOfGroup) : element;
  const again = theReached.has(stop);
  theReached.add(stop);
  const shows = each => {
    const style = getComputedStyle(each);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
  };
  const seen = [element, ...(element.labels ?? [])].some(shows);
  // A link over two lines: where its first line is.
  const box = element.getClientRects()[0] ?? element.getBoundingClientRect();
  const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  const top = document.elementFromPoint(x, y);
  const isCovered = inView && top !== null && !element.contains(top) && !top.contains(element)
    && ![...(element.labels ?? [])].some(label => label.contains(top));
  const cover = isCovered ? top.outerHTML.slice(0, 80) : '';
  return {end: again, seen, inView, cover, html: element.outerHTML.slice(0, 200)};
}
"""
_MISSED = "() => theStops.filter(stop => !theReached.has(stop)).map(stop => stop.outerHTML.slice(0, 200))"
_CONTROLS = {"button", "checkbox", "combobox", "disclosuretriangle", "link", "listbox", "menuitem", "option", "radio"}
_CONTROLS |= {"menuitemcheckbox", "menuitemradio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox"}


async def barriers(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA and good practice, each with its element and why."""
    if not await page.evaluate("typeof axe !== 'undefined'"):
        await page.evaluate(_AXE)
    found: list[dict[str, Any]] = await page.evaluate(_LOOK, _RULES)
    return [
        f"{rule['id']}: {rule['help']}: {node['html']} ({'; '.join(node['why'])})"
        for rule in found
        for node in rule["nodes"]
    ]


async def sideways(page: Page) -> list[str]:
    """What makes a page wider than its window."""
    wide: list[str] = await page.evaluate(_WIDE)
    return wide


async def nameless(page: Page) -> list[str]:
    """The controls for which a screen reader has no name: what Chromium itself would tell it."""
    session = await page.context.new_cdp_session(page)
    try:
        nodes: list[dict[str, Any]] = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    finally:
        await session.detach()
    return [
        f"{role} without a name: {node.get('properties', '')}"
        for node in nodes
        if not node["ignored"]
        and (role := node["role"]["value"].lower()) in _CONTROLS
        and not str(node.get("name", {}).get("value", "")).strip()
    ]


async def out_of_reach(page: Page) -> list[str]:
    """What the Tab key does not get to, gets stuck in, or gets to without showing it."""
    expected: int = await page.evaluate(_STOPS)
    wrong: list[str] = []
    for _ in range(min(expected + 10, _MANY_TABS)):
        await page.keyboard.press("Tab")
        at: dict[str, Any] = await page.evaluate(_REACHED)
        if at["end"]:
            break
        for claim, fault in (("seen", "focus cannot be seen"), ("inView", "focus is outside the window")):
            if not at[claim]:
                wrong.append(f"{fault}: {at['html']}")
        if at["cover"]:
            wrong.append(f"focus is covered by {at['cover']}: {at['html']}")
    else:
        wrong.append("the Tab key does not come round")
    missed: list[str] = await page.evaluate(_MISSED)
    return wrong + [f"not reached: {element}" for element in missed]


async def faults(visit: Visit) -> list[str]:
    """Everything that is wrong with the page that a visit is at, by all checks, dark and light. Moves the focus."""
    page = visit.page
    found: dict[str, None] = {}
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found |= dict.fromkeys(await barriers(page))
    return [*found, *await sideways(page), *await nameless(page), *await out_of_reach(page), *visit.complaints]
