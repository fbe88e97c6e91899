"""What templates make of a collection: as Kometa's own `apply_template`, through which the first cases were run."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from kometa_ai.kometa.checking.templates import Effective, Loading, Shelf, Template, effective
from tests.kometa.support import block, read

BOTH = "radarr_taglist: kai-film-noir, sync_mode: sync"


def seen(templates: str, body: str, variables: dict[str, Any] | None = None, *, whole: bool = True) -> Effective:
    """A collection called Film Noir as Kometa sees it."""
    yaml = YAML(typ="safe", pure=True)
    shelf = {name: Template(each, {}) for name, each in (yaml.load(templates) or {}).items()}
    return effective("Film Noir", yaml.load(body), Shelf(shelf, whole), Loading("Movies", variables or {}))


@pytest.mark.parametrize(
    ("template", "call", "taglist"),
    [
        ("radarr_taglist: kai-<<slug>>", "slug: film-noir", "kai-film-noir"),
        ("radarr_taglist: [kai-<<slug>>, <<more>>]", "slug: x, more: y", ["kai-x", "y"]),
        ("radarr_taglist: <<tag>>", "tag: [a, b]", ["a", "b"]),
        ("radarr_taglist: <<tag>>", "tag: 7", 7),
        ("radarr_taglist: <<tag>>", "other: 7", "<<tag>>"),
        ("radarr_taglist: <<tag>>, default: {tag: kai-<<slug>>}", "slug: x", "kai-x"),
        ("radarr_taglist: <<tag>>, default: {tag: d}", "tag: t", "t"),
        ("radarr_taglist: <<tag>>, default: {tag: d}, optional: tag", "x: 1", "d"),
        ("radarr_taglist: <<name>>", "x: 1", "<<name>>"),
        ("radarr_taglist: <<collection_name>>-<<mapping_name>>", "x: 1", "Film Noir-Film Noir"),
        ("radarr_taglist: <<library_name>>", "x: 1", "Movies"),
        ("radarr_taglist: <<a>>", "a: <<b>>, b: c", "c"),
        ("radarr_taglist: <<tag_encoded>>", "tag: a b", "a%20b"),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: [{x: 1, value: one}], default: d}}", "x: 1", "one"),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: [{x: 1, value: one}], default: d}}", "x: 2", "d"),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: {x.not: 1, value: n}}}", "x: 2", "n"),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: [{x.exists: true, value: e}]}}", "x: 2", "e"),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: [{x: [1, 2], value: e}]}}", "x: 2", "e"),
    ],
)
def test_variables(template: str, call: str, taglist: object) -> None:
    """They are put into texts and lists, from the call, the defaults and the conditions."""
    found = seen(f"t: {{{template}}}", f"template: {{name: t, {call}}}")

    assert found.attributes["radarr_taglist"] == taglist


@pytest.mark.parametrize(
    ("template", "call"),
    [
        ("radarr_taglist: <<tag>>", "tag: "),
        ("radarr_taglist: <<tag>>, optional: [tag]", "x: 1"),
        ("radarr_taglist: <<tag>>, optional: 'x, tag'", "x: 1"),
        ("radarr_taglist: [kai-<<tag>>], optional: tag", "x: 1"),
        ("radarr_taglist: <<tag>>, default: {tag: d}", "tag: "),
        ("radarr_taglist: <<tag>>, conditionals: {tag: {conditions: [{x: 2, value: v}]}}", "x: 1"),
    ],
)
def test_what_is_dropped(template: str, call: str) -> None:
    """A variable without a value, or an optional one, takes the attribute with it."""
    assert "radarr_taglist" not in seen(f"t: {{{template}}}", f"template: {{name: t, {call}}}").attributes


@pytest.mark.parametrize(
    ("call", "settings", "mode"),
    [
        ("mode: append", {"mode": "sync"}, "sync"),
        ("mode: append", {}, "append"),
        ("x: 1", {"mode": "sync"}, "sync"),
        ("x: 1", {}, "default"),
        ("mode: sync", {"mode": None}, None),
    ],
)
def test_the_entry_in_the_configuration_wins(call: str, settings: dict[str, Any], mode: str | None) -> None:
    """Over the call, which wins over the default."""
    found = seen("t: {sync_mode: <<mode>>, default: {mode: default}}", f"template: {{name: t, {call}}}", settings)

    assert found.attributes.get("sync_mode") == mode


def test_several_templates() -> None:
    """The first that has an attribute counts, in whatever case; what stands in the collection wins over all."""
    templates = "a: {Sync_Mode: sync, summary: a}\nb: {sync_mode: append, radarr_taglist: b, summary: b}"
    found = seen(templates, "{template: [{name: a}, {name: b}], Summary: own}")

    assert found.attributes["sync_mode"] == "sync"
    assert found.attributes["radarr_taglist"] == "b"
    assert found.attributes["summary"] == "own"


@pytest.mark.parametrize("call", ["t", "{slug: x}", "{name: }", "[{name: t}, t]", "", "[1]"])
def test_calls_that_kometa_refuses(call: str) -> None:
    """A call has to name its template."""
    assert seen("t: {sync_mode: sync}", f"template: {call}").refused


@pytest.mark.parametrize("template", ["text", "[a]", "{default: , x: 1}", "{default: [a]}", "{conditionals: x}"])
def test_templates_that_kometa_refuses(template: str) -> None:
    """A template is a mapping, and so are its defaults."""
    assert seen(f"t: {template}", "template: {name: t}").refused


def test_templates_that_are_not_there() -> None:
    """They are nowhere, or may stand in a file outside of the folder."""
    assert seen("", "template: {name: t}").missing == ("t",)
    assert seen("", "template: {name: t}", whole=False).unseen == ("t",)
    assert seen("t:", "template: {name: u}").missing == ("u",)


CONFIG = """libraries:
  Movies:
    template_variables: {mode: append, slug: film-noir}
    collection_files:
      - file: config/movies.yml
        template_variables: {mode: sync}
radarr: {url: http://radarr:7878, token: abc, root_folder_path: /movies, quality_profile: Any}
"""
OURS = "templates: {ours: {default: {mode: append}, sync_mode: <<mode>>, radarr_taglist: kai-<<slug>>}}\n"


def told(call: str, before: str = "", **files: str) -> list[str]:
    """What is told of a collection that calls a template."""
    text = f"{before}collections:\n{block()}\n  Film Noir:\n    template: {call}\n"
    return [each.what for each in read({"movies.yml": text, **files}).warnings]


def test_variables_of_library_and_entry() -> None:
    """Those of the entry win over the library's, and both over call and default."""
    assert told("{name: ours, mode: append}", OURS, **{"config.yml": CONFIG}) == []
    assert len(told("{name: ours, slug: film-noir}", OURS)) == 1


def test_external_templates_of_the_folder() -> None:
    """The file is looked into; of one from elsewhere it is said that it cannot be seen."""
    external = "external_templates:\n  - file: config/t.yml\n    template_variables: {mode: sync}\n"

    assert told("{name: ours, slug: film-noir}", external, **{"t.yml": OURS}) == []
    assert ["is nowhere" in what for what in told("{name: other}", external, **{"t.yml": OURS})] == [True]
    elsewhere = f"{external}  - url: https://example.org/t.yml\n"
    assert told("{name: ours, slug: film-noir}", elsewhere, **{"t.yml": OURS}) == []
    assert ["cannot be seen" in what for what in told("{name: other}", elsewhere, **{"t.yml": OURS})] == [True]


def test_a_variable_without_a_value_is_told() -> None:
    """Kometa takes it for the name of a tag."""
    assert ["nothing gives <<slug>> in `radarr_taglist` a value" in what for what in told("{name: ours}", OURS)][
        :1
    ] == [True]
