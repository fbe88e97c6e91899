"""Of which kind a collection is: what speaks, in which order, what contradicts, and what two kinds may share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.item import KINDS
from kometa_ai.kometa.checking.corrections import applied
from tests.kometa.support import block, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.item import Kind
    from kometa_ai.core.problem import Problem

BOTH = frozenset(KINDS)
RADARR = "radarr: {url: 'http://radarr:7878', token: a, root_folder_path: /movies, quality_profile: Any}\n"
SONARR = "sonarr: {url: 'http://sonarr:8989', token: b, root_folder_path: /tv, quality_profile: Any}\n"


def noir(*attributes: str, more: tuple[str, ...] = (), name: str = "Noir") -> str:
    """A file with one collection; `more` are further lines of its block."""
    lines = "".join(f"    {attribute}\n" for attribute in (*attributes, "sync_mode: sync"))
    return f"collections:\n{block('enabled: true', 'prompt: Dark.', *more)}\n  {name}:\n{lines}"


def config(*libraries: str) -> str:
    """A configuration with both services for all libraries."""
    return f"{RADARR}{SONARR}libraries:\n" + "".join(f"  {library}\n" for library in libraries)


def one(files: Mapping[str, str], services: frozenset[Kind] = BOTH) -> Collection:
    """The one collection of a folder without a problem."""
    folder = read(files, services)
    assert folder.problems == ()
    (found,) = folder.collections
    return found


def spoken(text: str, library: str = "") -> tuple[Kind, str]:
    """The kind of the collection of a file, and why, where both services are set up."""
    found = one({"m.yml": text} | ({"config.yml": config(library)} if library else {}))
    return found.kind, found.kind_because


# What speaks


@pytest.mark.parametrize("value", ["shows", "show", "SHOWS", " Show ", "'shows'"])
def test_media_in_any_spelling(value: str) -> None:
    """Singular, plural and capitals are the same."""
    assert spoken(noir(more=(f"media: {value}",))) == ("show", "`media: shows`")


@pytest.mark.parametrize("arr", ["radarr", "sonarr"])
@pytest.mark.parametrize("value", ["kai-noir", "[a, kai-noir]", "", "x"])
def test_its_own_taglist(arr: str, value: str) -> None:
    """The taglist says the kind, whatever stands in it."""
    kind = "movie" if arr == "radarr" else "show"
    assert spoken(noir(f"{arr}_taglist: {value}")) == (kind, f"`{arr}_taglist`")


TEMPLATE = "templates:\n  T:\n    {}\n"


@pytest.mark.parametrize(
    ("template", "call", "kind"),
    [
        ("sonarr_taglist: <<tag>>", "{name: T, tag: kai-noir}", "show"),
        ("radarr_taglist: <<tag>>", "{name: T, tag: kai-noir}", "movie"),
        ("<<arr>>_taglist: kai-noir", "{name: T, arr: sonarr}", "show"),
        ("run_definition: show", "{name: T}", "show"),
    ],
)
def test_through_a_template_of_the_file(template: str, call: str, kind: str) -> None:
    """What a template brings in speaks as if it stood in the collection."""
    assert spoken(TEMPLATE.format(template) + noir(f"template: {call}"))[0] == kind


CONDITIONAL = """templates:
  T:
    conditionals:
      arr:
        default: radarr
        conditions:
          - library_type: show
            value: sonarr
    <<arr>>_taglist: kai-noir
"""


@pytest.mark.parametrize(("library", "kind"), [("TV Shows", "show"), ("Movies", "movie")])
def test_a_template_that_asks_for_the_type_of_the_library(library: str, kind: str) -> None:
    """One file for libraries of both kinds is seen as the library sees it that loads it."""
    text = CONDITIONAL + noir("template: {name: T}")
    assert spoken(text, f"{library}: {{collection_files: [file: config/m.yml]}}")[0] == kind


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [
        ("run_definition: show", "show"),
        ("Run_Definition: [true, movie]", "movie"),
        ("allowed_library_types: show", "show"),
        ("builder_level: season", "show"),
        ("collection_level: episode", "show"),
        ("tmdb_show: 1396", "show"),
        ("sonarr_all: true", "show"),
        ("tvdb_movie: 5", "movie"),
        ("letterboxd_list: x", "movie"),
        ("trakt_boxoffice: 10", "movie"),
    ],
)
def test_other_attributes_of_one_kind(attribute: str, kind: str) -> None:
    """What Kometa refuses in libraries of the other kind speaks, and is named."""
    found, because = spoken(noir(attribute))
    assert found == kind
    assert because.startswith(f"`{attribute.partition(':')[0].lower()}")


@pytest.mark.parametrize("attribute", ["run_definition: [movie, show]", "run_definition: true", "plex_all: true"])
def test_attributes_of_both_kinds_say_nothing(attribute: str) -> None:
    """So the next one is asked."""
    assert spoken(noir(attribute))[1] == "no key says otherwise"


def test_the_first_that_speaks() -> None:
    """`media` before the taglist, the taglist before other attributes, these before the libraries."""
    tv = "TV Shows: {collection_files: [file: config/m.yml]}"
    library = noir("plex_all: true")
    attribute = noir("run_definition: movie")
    taglist = noir("sonarr_taglist: kai-noir", "run_definition: movie")
    media = noir("radarr_taglist: kai-noir", "sonarr_taglist: kai-noir", "run_definition: show", more=("media: movie",))

    kinds = [spoken(text, tv)[0] for text in (library, attribute, taglist, media)]

    assert kinds == ["show", "movie", "show", "movie"]


FILES = "collection_files: [file: config/m.yml]"
OF_EPISODES = "{builder_level: episode}"
SHAPES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "movies by name": ((f"Movies: {{{FILES}}}",), "movie", "Movies loads"),
    "films by name": ((f"4K Films: {{{FILES}}}",), "movie", "4K Films loads"),
    "German": ((f"Filme: {{{FILES}}}",), "movie", "Filme loads"),
    "TV by name": ((f"TV: {{{FILES}}}",), "show", "TV loads"),
    "TV shows by name": ((f"TV Shows: {{{FILES}}}",), "show", "TV Shows loads"),
    "one word": ((f"TVShows: {{{FILES}}}",), "show", "TVShows loads"),
    "series by name": ((f"Kids Series: {{{FILES}}}",), "show", "Kids Series loads"),
    "anime by name": ((f"Anime: {{{FILES}}}",), "show", "Anime loads"),
    "a name of both": ((f"Anime Movies: {{{FILES}}}",), "movie", "no key"),
    "TV movies": ((f"TV Movies: {{{FILES}}}",), "movie", "no key"),
    "a name of none": ((f"Kids: {{{FILES}}}",), "movie", "no key"),
    "no word of its own": ((f"Showtv1: {{{FILES}}}",), "show", "Showtv1 loads"),
    "several of one kind": ((f"TV: {{{FILES}}}", f"Anime: {{{FILES}}}"), "show", "libraries TV and Anime load"),
    "several of which one speaks": ((f"TV: {{{FILES}}}", f"Kids: {{{FILES}}}"), "show", "library TV loads"),
    "both kinds": ((f"Movies: {{{FILES}}}", f"TV: {{{FILES}}}"), "movie", "no key"),
    "another one speaks": ((f"Kids: {{{FILES}}}", "TV: {collection_files: [file: config/o.yml]}"), "movie", "no key"),
    "operations": ((f"Kids: {{operations: {{sonarr_add_all: true}}, {FILES}}}",), "show", "Kids loads"),
    "operations that are off": ((f"Kids: {{operations: {{sonarr_add_all: false}}, {FILES}}}",), "movie", "no key"),
    "evidence against its name": (
        (f"Anime: {{operations: {{radarr_add_all: true}}, {FILES}}}",),
        "movie",
        "Anime loads",
    ),
    "evidence against evidence": (
        (f"TV: {{operations: {{radarr_add_all: true, sonarr_add_all: true}}, {FILES}}}",),
        "movie",
        "no key",
    ),
    "Kometa's own for movies": (
        ("Kids: {collection_files: [default: director, file: config/m.yml]}",),
        "movie",
        "Kids",
    ),
    "Kometa's own for shows": (("Kids: {collection_files: [default: network, file: config/m.yml]}",), "show", "Kids"),
    "Kometa's own for both": (("Kids: {collection_files: [default: genre, file: config/m.yml]}",), "movie", "no key"),
    "overlays of episodes": (
        (f"Kids: {{{FILES}, overlay_files: [{{default: resolution, template_variables: {OF_EPISODES}}}]}}",),
        "show",
        "Kids loads",
    ),
    "its own Sonarr": ((f"Kids: {{sonarr: {{tag: a}}, {FILES}}}",), "show", "Kids loads"),
    "its own of both": ((f"Kids: {{sonarr: {{tag: a}}, radarr: {{tag: a}}, {FILES}}}",), "movie", "no key"),
    "blank": (("Kids:",), "movie", "no key"),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_libraries_that_load_the_file(shape: tuple[tuple[str, ...], str, str]) -> None:
    """By evidence, else by name; a contradiction says nothing. A `sonarr:` for all libraries says nothing, either."""
    libraries, kind, because = shape
    found = one({"m.yml": noir("plex_all: true"), "o.yml": "collections:\n", "config.yml": config(*libraries)})

    assert found.kind == kind
    assert because in found.kind_because


@pytest.mark.parametrize(
    ("services", "kind", "because"),
    [
        (frozenset({"movie"}), "movie", "no key says otherwise"),
        (frozenset({"show"}), "show", "only Sonarr is configured"),
        (BOTH, "movie", "no key says otherwise"),
    ],
)
def test_nothing_speaks(services: frozenset[Kind], kind: str, because: str) -> None:
    """The services that are set up decide; with both there is a hint."""
    folder = read({"m.yml": noir("plex_all: true")}, services)

    assert [(each.kind, each.kind_because) for each in folder.collections] == [(kind, because)]
    assert [hint.where for hint in folder.hints if "nothing says" in hint.what] == ["m.yml:2"] * (len(services) - 1)


def test_no_hint_where_something_speaks() -> None:
    """The hint is about guesses only."""
    assert not any(
        "nothing says" in hint.what for hint in read({"m.yml": noir("radarr_taglist: kai-noir")}, BOTH).hints
    )


@pytest.mark.parametrize("lost", ["libraries: [\n", "libraries:\n\tx"])
def test_a_configuration_that_cannot_be_read(lost: str) -> None:
    """It may have said the kind yesterday: no guess is made, so that nothing of the wrong kind is asked about."""
    text = noir("plex_all: true", "run_again: true")
    folder = read({"m.yml": text, "config.yml": lost}, BOTH)

    assert folder.collections == ()
    assert [each.keys for each in folder.skipped] == [("noir", "show:noir")]
    assert [problem.where for problem in folder.problems if problem.collection] == ["m.yml:2"]
    assert one_on({"m.yml": noir("sonarr_taglist: kai-noir"), "config.yml": lost}, BOTH) == ["show:noir"]
    assert one_on({"m.yml": text, "config.yml": lost}, frozenset({"movie"})) == ["noir"]


def one_on(files: Mapping[str, str], services: frozenset[Kind]) -> list[str]:
    """The keys of the collections that take part."""
    return [each.key for each in read(files, services).collections]


_TAGLISTS = {"movie": ["radarr_taglist: kai-noir"], "show": ["sonarr_taglist: kai-noir"], None: []}
_ATTRIBUTES = {"movie": ["trakt_boxoffice: 1"], "show": ["builder_level: show"], None: ["plex_all: true"]}
_NAMES = {"movie": "Movies", "show": "Series", None: "Kids"}
_SETTINGS = {"movie": "radarr_add_all: true", "show": "sonarr_add_all: true", None: "assets_for_all: true"}
_ANY = st.sampled_from(["movie", "show", None])


@given(st.tuples(_ANY, _ANY, _ANY, _ANY, _ANY), st.sets(st.sampled_from(KINDS)))
def test_whatever_else_is_there(said: tuple[Kind | None, ...], services: set[Kind]) -> None:
    """The first that speaks decides, whatever the later ones say; only `media` against the taglist is a problem."""
    media, taglist, attribute, setting, name = said
    text = noir(*_TAGLISTS[taglist], *_ATTRIBUTES[attribute], more=(f"media: {media}",) if media else ())
    library = f"{_NAMES[name]}: {{operations: {{{_SETTINGS[setting]}}}, {FILES}}}"
    folder = read({"m.yml": text, "config.yml": config(library)}, frozenset(services))

    if media and taglist and media != taglist:
        assert [each.keys for each in folder.skipped] == [("noir", "show:noir")]
        assert len(folder.problems) == 1
        return
    wanted = media or taglist or attribute or setting or name or ("show" if services == {"show"} else "movie")
    assert folder.problems == ()
    assert [*(each.kind for each in folder.collections), *(each.kind for each in folder.unserved)] == [wanted]
    assert bool(folder.collections) is (wanted in services)


# A kind without a library


def test_shows_without_a_sonarr() -> None:
    """They are named with a warning and take no part; nothing else changes."""
    folder = read({"m.yml": noir("sonarr_taglist: kai-noir"), "n.yml": noir("radarr_taglist: kai-noir")})

    assert [each.key for each in folder.collections] == ["noir"]
    assert [(each.name, each.keys) for each in folder.unserved] == [("Noir", ("show:noir",))]
    assert folder.problems == ()
    (warning,) = folder.warnings
    assert warning.where == "m.yml:2"
    assert "(`sonarr_taglist`)" in warning.what
    assert warning.remedy == (
        "Set SONARR_URL and SONARR_API_KEY. If movies are meant, write `radarr_taglist` in place of `sonarr_taglist`."
    )
    told = read({"m.yml": noir("sonarr_taglist: kai-noir", more=("media: shows",))}).warnings[-1]
    assert told.remedy.endswith("write `media: movies`, and `radarr_taglist` in place of a `sonarr_taglist`.")


def test_movies_without_a_radarr() -> None:
    """The same the other way round."""
    folder = read({"m.yml": noir("radarr_taglist: kai-noir")}, frozenset({"show"}))

    assert (folder.collections, [each.kind for each in folder.unserved]) == ((), ["movie"])
    assert [warning.remedy for warning in folder.warnings] == [
        "Set RADARR_URL and RADARR_API_KEY. If shows are meant, write `sonarr_taglist` in place of `radarr_taglist`."
    ]


# Contradictions


def problems_of(folder: Folder) -> list[tuple[str, str]]:
    """Where each problem is, and what is wrong."""
    return [(problem.where, problem.what) for problem in folder.problems]


def put_right(files: Mapping[str, str], problem: Problem) -> Folder:
    """The folder after the correction of a problem."""
    assert problem.correction
    text = applied(files[problem.source], problem.correction)
    return read({**files, problem.source: text}, BOTH)


PROVEN = "operations: {{{}_add_all: true}}"


@pytest.mark.parametrize(
    ("media", "arr", "library", "corrected"),
    [
        ("movies", "sonarr", "", None),
        ("shows", "radarr", "", None),
        ("shows", "radarr", "TV", None),
        ("movies", "sonarr", "sonarr", "  # media: shows"),
        ("movies", "sonarr", "radarr", "    radarr_taglist: kai-noir"),
        ("shows", "radarr", "sonarr", "    sonarr_taglist: kai-noir"),
        ("Show", "radarr", "radarr", "  # media: movies"),
    ],
)
def test_media_against_the_taglist(media: str, arr: str, library: str, corrected: str | None) -> None:
    """A problem at `media`. Only settings of the library that leave no doubt make a correction."""
    files = {"m.yml": noir(f"{arr}_taglist: kai-noir", more=(f"media: {media}",)), "n.yml": noir(name="Other")}
    if library:
        setting = PROVEN.format(library) if library.endswith("arr") else "operations: {}"
        files["config.yml"] = config(f"TV: {{{setting}, {FILES}}}")
    folder = read(files, BOTH)

    (problem,) = folder.problems
    assert problem.where == "m.yml:5"
    assert problem.what.startswith(f"`media: {'movies' if media == 'movies' else 'shows'}` contradicts")
    assert problem.column
    assert [each.name for each in folder.skipped] == ["Noir"]
    assert [each.name for each in folder.collections] == ["Other"]
    assert (problem.correction.lines if problem.correction else None) == (corrected and (corrected,))
    if corrected:
        assert put_right(files, problem).problems == ()


@pytest.mark.parametrize(("library", "media"), [("", ""), ("sonarr", "shows"), ("radarr", "movies")])
def test_both_taglists(library: str, media: str) -> None:
    """A problem without `media`; with it, the other taglist is a warning."""
    files = {"m.yml": noir("radarr_taglist: kai-noir", "sonarr_taglist: kai-noir")}
    if library:
        files["config.yml"] = config(f"Kids: {{{PROVEN.format(library)}, {FILES}}}")
    folder = read(files, BOTH)

    (problem,) = folder.problems
    assert (problem.where, problem.column) == ("m.yml:8", 5)
    assert problem.remedy.startswith("Take away the taglist that is not meant. For one of each, ")
    assert problem.what.startswith("it has `radarr_taglist` and `sonarr_taglist`")
    assert [each.keys for each in folder.skipped] == [("noir", "show:noir")]
    assert bool(problem.correction) is bool(library)
    if library:
        assert [each.kind for each in put_right(files, problem).collections] == [media.removesuffix("s")]
    told = one({"m.yml": noir("radarr_taglist: kai-noir", "sonarr_taglist: kai-noir", more=("media: shows",))})
    assert told.kind == "show"


@pytest.mark.parametrize(
    ("kind", "pin", "corrected"),
    [
        ("show", "include_movies: [Heat (1995)]", "include_shows: [Heat (1995)]"),
        ("show", "exclude_movies: [tt0113277]", "exclude_shows: [tt0113277]"),
        ("show", "include_movies: [tmdb:949]", None),
        ("movie", "include_shows: [Dark (2017)]", "include_movies: [Dark (2017)]"),
        ("movie", "include_shows: [tvdb:334824]", None),
        ("movie", "exclude_shows: [tmdb:70523]", None),
    ],
)
def test_pins_of_the_other_kind(kind: str, pin: str, corrected: str | None) -> None:
    """A problem at the key. Titles and IMDb's ids can be taken over; the numbers of catalogues cannot.

    The taglist alone makes no correction: it may be what is wrong.
    """
    taglist = "radarr_taglist" if kind == "movie" else "sonarr_taglist"
    files = {"m.yml": noir(f"{taglist}: kai-noir", more=(pin, f"media: {kind}"))}
    unsure = {"m.yml": noir(f"{taglist}: kai-noir", more=(pin,))}
    folder = read(files, BOTH)

    (problem,) = folder.problems
    (without,) = read(unsure, BOTH).problems
    assert (problem.where, problem.column) == ("m.yml:5", 5)
    assert f"`{pin.partition(':')[0]}` pins" in problem.what
    assert (f"`media: {kind}s`" in problem.what, f"`{taglist}`" in without.what) == (True, True)
    assert [each.key for each in folder.collections] == []
    assert without.correction is None
    assert (problem.correction.lines if problem.correction else None) == (corrected and (f"  # {corrected}",))
    if corrected:
        assert put_right(files, problem).problems == ()


def test_pins_of_shows_where_nothing_else_speaks() -> None:
    """The kind is a guess, so both keys are kept; there is no correction, since Kometa needs a taglist, too."""
    files = {"m.yml": noir("plex_all: true", more=("include_shows: [tvdb:334824]",))}
    folder = read(files, BOTH)

    (problem,) = folder.problems
    assert problem.correction is None
    assert "`media: shows`" in problem.remedy
    assert [each.keys for each in folder.skipped] == [("noir", "show:noir")]


def test_a_block_that_is_off_contradicts_nothing() -> None:
    """As with all wrong values of such a block."""
    text = noir("radarr_taglist: kai-noir", "sonarr_taglist: x", more=("media: movies", "include_shows: [tvdb:1]"))
    folder = read({"m.yml": text.replace("enabled: true", "enabled: false")}, BOTH)

    assert folder.problems == ()
    assert [(each.name, each.kind, each.kind_because) for each in folder.disabled] == [
        ("Noir", "movie", "`media: movies`")
    ]


# Two kinds beside each other


MOVIES = noir("radarr_taglist: kai-noir")
SHOWS = noir("sonarr_taglist: kai-noir").replace("Dark.", "Dark shows.")


def test_one_name_for_both_kinds() -> None:
    """Two collections with the same label, each with its own block."""
    folder = read({"m.yml": MOVIES, "tv.yml": SHOWS}, BOTH)

    assert (folder.problems, folder.warnings) == ((), ())
    assert [(each.key, each.label, each.prompt) for each in folder.collections] == [
        ("noir", "kai-noir", "Dark."),
        ("show:noir", "kai-noir", "Dark shows."),
    ]


def test_one_slug_for_both_kinds() -> None:
    """Different names with one tag are a problem within one kind only."""
    other = noir("radarr_taglist: kai-noir", name="noir")

    assert len(read({"m.yml": MOVIES, "n.yml": other}, BOTH).problems) == 2
    assert read({"m.yml": MOVIES, "n.yml": other.replace("radarr", "sonarr")}, BOTH).problems == ()


def test_different_blocks_are_a_problem_within_one_kind() -> None:
    """The same collection twice for films, once for shows: the shows go on."""
    folder = read({"a.yml": MOVIES, "b.yml": MOVIES.replace("Dark.", "Darker."), "tv.yml": SHOWS}, BOTH)

    assert [problem.source for problem in folder.problems] == ["a.yml", "b.yml"]
    assert [each.key for each in folder.collections] == ["show:noir"]
    assert [each.keys for each in folder.skipped] == [("noir",)]


@pytest.mark.parametrize("wrong", ["confidence_threshold: 7", "promt: x"])
def test_a_fault_in_the_block_of_one_kind(wrong: str) -> None:
    """The collection of the other kind goes on, and the skipped one keeps its key."""
    folder = read({"m.yml": noir("radarr_taglist: kai-noir", more=(wrong,)), "tv.yml": SHOWS}, BOTH)

    assert [each.key for each in folder.collections] == ["show:noir"]
    assert [each.keys for each in folder.skipped] == [("noir",)]


def test_a_fault_in_a_block_of_which_the_kind_is_unknown() -> None:
    """What cannot be read may be for either kind, so both are skipped and both keys are kept."""
    folder = read({"m.yml": noir("plex_all: true", more=("promt: x",)), "tv.yml": SHOWS}, BOTH)

    assert folder.collections == ()
    assert {key for each in folder.skipped for key in each.keys} == {"noir", "show:noir"}


def test_a_block_that_cannot_be_read_in_a_file_of_one_kind() -> None:
    """It may hold `media`, so the name of its library is not enough to give up the key of the other kind."""
    libraries = config(f"TV: {{{FILES}}}")
    folder = read({"m.yml": noir("plex_all: true", more=("media: film",)), "config.yml": libraries}, BOTH)

    assert [each.keys for each in folder.skipped] == [("noir", "show:noir")]


def test_a_block_inside_the_definition_of_one_kind() -> None:
    """It keeps its key, and the other kind goes on."""
    lines = "collections:\n  Noir:\n    sonarr_taglist: kai-noir\n" + block(indent=4) + "\n    sync_mode: sync\n"
    folder = read({"m.yml": MOVIES, "tv.yml": lines}, BOTH)

    assert [each.key for each in folder.collections] == ["noir"]
    assert [each.keys for each in folder.skipped] == [("show:noir",)]


def test_references_are_of_the_same_kind() -> None:
    """`kai-noir` in a block for movies is the collection of movies; one of shows is none of them."""
    heist = noir("radarr_taglist: kai-heist", name="Heist", more=("include_tags: [kai-noir]",))

    assert read({"m.yml": heist, "n.yml": MOVIES}, BOTH).warnings == ()
    assert [
        "kai-noir is that of a collection of shows" in warning.what
        for warning in read({"m.yml": heist, "tv.yml": SHOWS}, BOTH).warnings
    ] == [True]


def test_a_schedule_of_one_kind() -> None:
    """Kometa can be asked for the other one by name."""
    scheduled = SHOWS + "    schedule: weekly(sunday)\n"
    folder = read({"m.yml": MOVIES, "tv.yml": scheduled}, BOTH)

    assert [bool(each.untold) for each in folder.collections] == [False, True]


def test_a_correction_for_one_kind_leaves_the_other() -> None:
    """Corrections are offered and right beside a collection of the same name."""
    files = {"m.yml": MOVIES, "tv.yml": SHOWS.replace("sync_mode: sync", "sync_mode: append")}
    (warning,) = read(files, BOTH).warnings

    assert warning.where == "tv.yml:8"
    assert put_right(files, warning).warnings == ()


# Blocks


def test_keys_of_shows() -> None:
    """Pins and libraries are kept as they were written; names of libraries in lower case."""
    pins = (
        "include_shows: Archer (2009), tvdb:81189",
        "exclude_shows: [tt0903747, tmdb:1396]",
        "libraries: Sonarr-Anime",
    )
    found = one({"m.yml": noir("sonarr_taglist: kai-noir", more=pins)})

    assert [ref.text for ref in found.pins_in] == ["Archer (2009)", "tvdb:81189"]
    assert [ref.text for ref in found.pins_out] == ["tt0903747", "tmdb:1396"]
    assert (found.libraries, found.include_movies) == (frozenset({"sonarr-anime"}), ())


@pytest.mark.parametrize(
    ("wrong", "corrected"),
    [
        ("media: films", "media: movies"),
        ("media: TV", "media: shows"),
        ("media: music", None),
        ("include_shows: [tvdb 81189]", "include_shows: [tvdb:81189]"),
        ("exclude_shows: [Breaking Bad]", None),
        ("include_shows: [tvdb:0]", None),
        ("libraries: ['']", None),
    ],
)
def test_wrong_values(wrong: str, corrected: str | None) -> None:
    """Each is a problem at its line, with a correction where it is clear what was meant."""
    taglist = "radarr_taglist" if "movies" in (corrected or "") else "sonarr_taglist"
    (problem,) = read({"m.yml": noir(f"{taglist}: kai-noir", more=(wrong,))}, BOTH).problems

    assert problem.where == "m.yml:5"
    assert (problem.correction.lines if problem.correction else None) == (corrected and (f"  # {corrected}",))


def test_a_show_pinned_in_and_out() -> None:
    """A contradiction, as for movies."""
    pins = ("include_shows: [tvdb:1]", "exclude_shows: [tvdb:1]")
    (problem,) = read({"m.yml": noir("sonarr_taglist: kai-noir", more=pins)}, BOTH).problems

    assert (problem.where, "in both `include_shows` and `exclude_shows`" in problem.what) == ("m.yml:6", True)
