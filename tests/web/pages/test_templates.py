"""Templates and style sheets: nothing stands there that nothing uses."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest
from jinja2 import Environment, nodes

from kometa_ai.observe.log_end import Level
from kometa_ai.web.pages import assets
from kometa_ai.web.pages.rendering import bare_page, page

FOLDER = resources.files("kometa_ai.web") / "templates"
TEXTS = {entry.name: entry.read_text(encoding="utf-8") for entry in FOLDER.iterdir()}
TEMPLATES = {name: Environment(autoescape=True).parse(text) for name, text in TEXTS.items()}
STYLES = {name: text.decode() for name, text in assets.files().items() if name.endswith(".css")}
SCRIPTS = "\n".join(text.decode() for name, text in assets.files().items() if name.endswith(".js"))
WEB = Path(assets.__file__).parents[1]
PAGES = "\n".join(path.read_text(encoding="utf-8") for path in (WEB / "pages").glob("*.py"))
MARKUP = re.sub(r"\{#.*?#\}", "", "\n".join(TEXTS.values()), flags=re.DOTALL)


def _taken(template: nodes.Template) -> set[str]:
    """The names that a template takes from others, as it calls them."""
    names = [name for each in template.find_all(nodes.FromImport) for name in each.names]
    return {name if isinstance(name, str) else name[1] for name in names}


def _made(template: nodes.Template) -> set[str]:
    """The names that a template sets itself, and its macros."""
    sets = {each.target.name for each in template.find_all(nodes.Assign) if isinstance(each.target, nodes.Name)}
    return sets | {each.name for each in template.find_all(nodes.Macro)}


def _read(template: nodes.Template) -> set[str]:
    """The names that a template reads anywhere."""
    return {each.name for each in template.find_all(nodes.Name) if each.ctx == "load"}


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_uses_what_it_takes_and_makes(name: str) -> None:
    """What a template takes from another it reads; what it sets, and its macros, it reads or another takes."""
    template = TEMPLATES[name]
    taken_by_others = set().union(*map(_taken, TEMPLATES.values()))

    assert sorted(_taken(template) - _read(template)) == []
    assert sorted(_made(template) - _read(template) - taken_by_others) == []


def _reach(name: str) -> set[str]:
    """What a template reads, and those that it extends or takes from."""
    template = TEMPLATES[name]
    others = [
        found.value
        for each in template.find_all((nodes.Extends, nodes.FromImport))
        for found in each.find_all(nodes.Const)
        if found.value in TEMPLATES
    ]
    return _read(template).union(*map(_reach, others))


def test_a_template_reads_what_it_is_given() -> None:
    """Each value that a page names for its template is read there, in what it extends, or in what it takes from."""
    of_the_frame = {name for each in (page, bare_page) for name in inspect.signature(each).parameters}
    unread = [
        f"{path.name}:{call.lineno} {value.arg}"
        for path in WEB.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for named in call.args
        if isinstance(named, ast.Constant) and named.value in TEMPLATES
        for value in call.keywords
        if value.arg not in {None, *of_the_frame} and value.arg not in _reach(named.value)
    ]

    assert unread == []


@pytest.mark.parametrize("name", sorted(STYLES))
def test_a_class_with_a_style_is_in_use(name: str) -> None:
    """Each class of a style sheet is a word in a template, a script or the code of a page."""
    selectors = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", STYLES[name], flags=re.DOTALL))
    classes = {found for each in selectors for found in re.findall(r"\.([a-z][\w-]*)", each)}

    words = set(re.findall(r"[\w-]+", MARKUP + SCRIPTS + PAGES)) | set(get_args(Level))

    assert sorted(classes - words) == []


def test_an_attribute_for_a_script_or_a_style_is_read() -> None:
    """Each `data-` attribute of a template is named in a script, as an attribute or a property, or in a style sheet."""
    readers = SCRIPTS + "".join(STYLES.values())
    unread = [
        name
        for name in sorted(set(re.findall(r"\bdata-([a-z-]+)", MARKUP)))
        if f"data-{name}" not in readers
        and not re.search(rf"\b{re.sub('-(.)', lambda letter: letter[1].upper(), name)}\b", readers)
    ]

    assert unread == []
