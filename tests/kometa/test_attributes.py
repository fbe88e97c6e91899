"""Attributes with which Kometa refuses a collection that is filled from a tag, or builds none."""

from __future__ import annotations

import pytest

from tests.kometa.support import block, read, read_one

BOTH = ("radarr_taglist: kai-film-noir", "sync_mode: sync")


def told(*attributes: str, before: str = "") -> list[tuple[str, bool]]:
    """What is told of a collection with these attributes, and whether a correction is offered."""
    lines = "".join(f"    {attribute}\n" for attribute in attributes)
    folder = read_one(f"{before}collections:\n{block()}\n  Film Noir:\n{lines}")
    return [(f"{each.what} {each.remedy}", bool(each.correction)) for each in (*folder.problems, *folder.warnings)]


@pytest.mark.parametrize(
    "attribute",
    ["smart_filter: {all: {genre: x}}", "smart_url: http://x", "blank_collection: true", "Smart_Filter: {}"],
)
@pytest.mark.parametrize("lines", [BOTH, (), BOTH[:1], BOTH[1:]])
def test_what_takes_no_tag(attribute: str, lines: tuple[str, ...]) -> None:
    """One sentence, no correction: Kometa refuses the tag beside it."""
    ((what, corrected),) = told(*lines, attribute)

    assert "Kometa refuses `radarr_taglist` beside" in what
    assert "move the block to another collection" in what
    assert not corrected


def test_a_smart_label_is_fine() -> None:
    """It goes with both lines; where they are missing they are offered."""
    assert told(*BOTH, "smart_label: random") == []
    assert told("smart_label: random")[0][1]


@pytest.mark.parametrize(
    ("attribute", "why"),
    [
        ("collection_order: custom", "`collection_order: custom` cannot be used with `radarr_taglist`"),
        ("collection_order: custom.desc", "cannot be used with"),
        ("Collection_Order: custom", "cannot be used with"),
        ("collection_order: alphabetical", "is no order that Kometa knows"),
        ("collection_order:", "`collection_order` has no value"),
        ("syncmode: sync", "knows no attribute `syncmode`. Did you mean `sync_mode`?"),
        ("sync-mode: sync", "knows no attribute `sync-mode`. Did you mean `sync_mode`?"),
        ("colour: red", "knows no attribute `colour`. Take it away"),
        ("sonarr_all: true", "`sonarr_all` is for libraries of shows"),
        ("item_album_sorting: newest", "libraries of music"),
        ("collection_filtering: user", "smart collections"),
        ("imdb_list:", "`imdb_list` has no value"),
        ("name:", "`name` has no value"),
        ("limit:", "`limit` has no value"),
        ("limit: 0", "`limit` has no value"),
        ('key_name: ""', "`key_name` has no value"),
        ("schedule: []", "`schedule` has no value"),
        ("non_item_remove_label:", "`non_item_remove_label` has no value"),
        ("network: HBO", "`network` is for libraries of shows"),
        ("episode_title.not: x", "`episode_title.not` is for libraries of shows"),
        ("radarr_availability: soon", "`radarr_availability` is none of announced, cinemas, released, db"),
        (
            "item_radarr_tag: a\n    item_radarr_tag.remove: b",
            "`item_radarr_tag` and `item_radarr_tag.remove`",
        ),
        ("label: a\n    label.sync: b", "`label` and `label.sync` do not go together"),
        ("template: {name: nope}", "its template nope is nowhere"),
        ("template: nope", "its `template` does not say which"),
    ],
)
def test_what_kometa_refuses(attribute: str, why: str) -> None:
    """Both lines are right, and it is refused all the same: said, with what to do."""
    ((what, _),) = told(*BOTH, attribute)

    assert what.startswith("Kometa refuses this collection: ")
    assert why in what


@pytest.mark.parametrize(
    "attribute",
    [
        "collection_order: release",
        "collection_order: alpha",
        "collection_order: random",
        "collection_order: [year.desc, title.asc]",
        "collection_order: custom\n    build_collection: false",
        "radarr_add: true",
        "add_to_arr: true",
        "item_label.sync: x",
        "label.remove: x",
        "tmdb_trending: 5",
        "filters: {year.gte: 1990}",
        "filter: {year.gte: 1990}",
        "title.not: x",
        "decade: 1990",
        "Visible_Home: true",
        "url_poster: http://x",
        "collection_minimum: 1",
        "sync_to_trakt_list: x",
        "language: de",
        "colour: red\n    validate_builders: false",
        "sort_title: <<x>>",
        "hub_priority: 1",
        "hub_priority: 0",
        "label: a\n    label.remove: b",
        "radarr_availability: Cinemas",
        "episode_plays.gt: 3",
        "radarr_availability: <<when>>",
        "run_definition: <<kind>>",
        "run_definition: movie",
        "run_definition: [true, movie]",
        "allowed_library_types: movie\n    run_definition: true",
        "only_run_on_create: false",
        "schedule: [never, daily]",
        "trakt_list: https://trakt.tv/x",
    ],
)
def test_what_kometa_knows(attribute: str) -> None:
    """Old names, modifiers, searches and any case are no reason for an alarm."""
    assert told(*BOTH, attribute) == []


def test_the_order_comes_first() -> None:
    """While Kometa would refuse the collection, nothing is offered that makes it one of ours."""
    found = dict(told("imdb_list: ls1", "collection_order: custom"))

    assert [corrected for what, corrected in found.items() if "collection_order" in what] == [True]
    assert [corrected for what, corrected in found.items() if "collection_order" not in what] == [False, False]


def test_an_order_that_a_template_brings() -> None:
    """It is told where the collection stands, which can have an order of its own."""
    before = "templates:\n  t:\n    collection_order: custom\n"

    ((what, corrected),) = told(*BOTH, "template: {name: t}", before=before)

    assert "`collection_order: custom` cannot be used" in what
    assert corrected


def test_a_collection_that_is_not_built() -> None:
    """Without a collection there is nothing to sync: that is not asked for, and a hint says what is seen of it."""
    text = f"collections:\n{block()}\n  Film Noir:\n    {BOTH[0]}\n    build_collection: false\n    item_label: Noir\n"

    folder = read_one(text)

    assert folder.warnings == ()
    (hint,) = (each for each in folder.hints if each.source != "CONFIG_DIR")
    assert (hint.line, hint.severity) == (8, "hint")
    assert "no collection is seen" in hint.what


@pytest.mark.parametrize(
    "attribute",
    [
        "run_definition: false",
        "run_definition: show",
        "run_definition: [movie, artist]",
        "run_definition: no",
        "run_definition:",
        "allowed_library_types: show",
        "schedule: never",
        "schedule: [Never]",
    ],
)
def test_a_definition_that_is_switched_off(attribute: str) -> None:
    """Kometa skips it in each run, without an error."""
    ((what, _),) = told(*BOTH, attribute)

    assert what.startswith(f"Kometa never builds it: `{attribute.partition(':')[0]}` is ")


def test_a_definition_for_one_run() -> None:
    """What is run on create alone is never brought up to date."""
    ((what, _),) = told(*BOTH, "only_run_on_create: true")

    assert "Kometa builds it once, and never removes or adds a movie after that" in what


@pytest.mark.parametrize(
    ("attribute", "section"),
    [
        ("trakt_list: x", "trakt"),
        ("sync_to_trakt_list: x", "trakt"),
        ("tautulli_popular: {list_days: 1}", "tautulli"),
        ("item_sonarr_tag: x", "sonarr"),
        ("mal_id: 3", "mal"),
    ],
)
def test_services_that_are_not_set_up(attribute: str, section: str) -> None:
    """Kometa refuses the whole collection for one attribute of such a service; the library is named."""
    text = f"collections:\n{block()}\n  Film Noir:\n    {BOTH[0]}\n    {BOTH[1]}\n    {attribute}\n"
    radarr = 'radarr: {url: "http://r", token: a, root_folder_path: /m, quality_profile: Any}\n'
    config = "libraries:\n  Movies:\n    collection_files: config/m.yml\n" + radarr

    (warning,) = read({"m.yml": text, "config.yml": config}).warnings
    there = read({"m.yml": text, "config.yml": f'{config}{section}: {{url: "http://x", client_id: x}}\n'})
    blank = read({"m.yml": text, "config.yml": f"{config}{section}:\n"})

    name = attribute.partition(":")[0]
    assert (
        warning.what == f"Kometa refuses this collection: `{name}` needs `{section}:`, which is not set up in Movies."
    )
    assert there.warnings == ()
    assert len(blank.warnings) == 1


@pytest.mark.parametrize(("body", "kind"), [("Film Noir: todo", "a text"), ("Film Noir:\n    - a", "a list")])
def test_what_is_no_mapping(body: str, kind: str) -> None:
    """There is something below the name, and it is named."""
    (warning,) = read_one(f"collections:\n{block()}\n  {body}\n").warnings

    assert f"below its name stands {kind}" in warning.what
    assert warning.correction is None


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("kai-noir, 007", '[kai-film-noir, "007"]'),
        ("kai-noir, 1e3, true, no, 4k", '[kai-film-noir, "1e3", "true", "no", 4k]'),
        ("[0x1F, 2001-01-01, null]", '[kai-film-noir, "31", "2001-01-01", none]'),
        ("a: b", None),
    ],
)
def test_tags_that_look_like_something_else(value: str, written: str | None) -> None:
    """What YAML reads as anything but text is quoted, so that Kometa still looks for the same tag."""
    text = f"collections:\n{block()}\n  Film Noir:\n    radarr_taglist: {value}\n    sync_mode: sync\n"

    found = [*read_one(text).problems, *read_one(text).warnings]

    correction = found[0].correction
    if written is None:
        assert found[0].severity == "error"
    else:
        assert correction is not None
        assert correction.lines == (f"    radarr_taglist: {written}",)


def test_no_key_is_written_twice() -> None:
    """Beside `item_radarr_tag`, the one that wipes is taken away and not renamed."""
    found = told(*BOTH, "item_radarr_tag: a", "Item_Radarr_Tag.sync: b")

    assert [corrected for _, corrected in found] == [False, False]
    assert "Take it away." in found[0][0]


def test_one_correction_for_two_lines() -> None:
    """Both lines come in one correction, also where the collection is written on one line."""
    for body, line in (
        (
            "Film Noir: {plex_all: true}",
            "  Film Noir: {radarr_taglist: kai-film-noir, sync_mode: sync, plex_all: true}",
        ),
        ("Film Noir:\n    plex_all: true", "    radarr_taglist: kai-film-noir"),
    ):
        tag, mode = read_one(f"collections:\n{block()}\n  {body}\n").warnings
        assert tag.correction is not None
        assert tag.correction.lines[0] == line
        assert mode.correction is None
