"""The scripted demo: each number that it prints, and each claim that it makes."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from kometa_ai.demo import Stage, perform
from kometa_ai.standins.films import films
from kometa_ai.standins.shows import shows
from tests.written_docs import ROOT

FILM_COLLECTIONS, SHOW_COLLECTIONS = 8, 4


class Played(NamedTuple):
    """The demo after its end, and what it printed: the introduction, and each act by its command."""

    stage: Stage
    code: int
    start: str
    acts: list[str]
    end: str


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The demo, played once."""
    stage = Stage(tmp_path_factory.mktemp("demo"), {})
    with (
        pytest.MonkeyPatch.context() as patched,
        stage.open() as environ,
        redirect_stdout(StringIO()) as out,
    ):
        patched.setenv("COLUMNS", "200")
        code = perform(stage, environ)
    text, _, end = out.getvalue().partition("\nIn all: ")
    start, *acts = re.split(r"^\$ kometa-ai ", text, flags=re.MULTILINE)
    return Played(stage, code, start, acts, end)


def _row(act: str, name: str) -> list[list[str]]:
    """The columns of the rows about collections of this name, without the name."""
    return [found.split() for found in re.findall(rf"^ {name}(?: \(shows\))? (.*)$", act, re.MULTILINE)]


def test_it_ends_well_and_says_how_to_go_on(played: Played) -> None:
    """Every command succeeds; the last line names pages that there are."""
    pages = re.findall(r"docs/\w+\.md", played.end)

    assert played.code == 0
    assert "That was all of it." in played.end
    assert "kometa-ai --demo --serve" in played.end
    assert pages == ["docs/start.md", "docs/libraries.md"]
    assert all((ROOT / page).is_file() for page in pages)


def test_it_says_how_large_the_libraries_are(played: Played) -> None:
    """The numbers of films and shows are those in the stand-ins before the newcomers."""
    told = re.search(r"with (\d+) real films, a stand-in Sonarr with (\d+) real\s+shows", played.start)

    assert told
    assert (int(told[1]), int(told[2])) == (len(films()) - 3, len(shows()) - 1)


def test_it_shows_what_one_writes(played: Played) -> None:
    """A block with its collection, word for word as in its file, on lines of 80 columns; what is folded is comment."""
    block = played.start[played.start.index("  # === KOMETA-AI") :].partition("The lines below")[0]
    shown = re.sub(r"\n *# {3,}(?=[a-z])", " ", block)
    file = (played.stage.kometa / "stories.yml").read_text(encoding="utf-8")

    assert max(map(len, block.splitlines())) <= 80
    assert shown.strip() in file
    assert YAML(typ="safe").load(f"collections:\n{block}")["collections"].keys() == {"Heist Films"}


def test_its_headings_fit_eighty_columns(played: Played) -> None:
    """A rule is no wider, whatever the terminal."""
    rules = [line for line in "\n".join((played.start, *played.acts)).splitlines() if line.endswith("──")]
    headings = [line for line in rules if line[0] != " "]

    assert len(headings) == len(played.acts) + 2
    assert {len(line) for line in headings} == {80}


def test_the_first_page_says_how_much_there_is() -> None:
    """The numbers of real films and shows in docs/index.md are those that are bundled."""
    page = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")

    assert re.findall(r"(\d+) real (films|shows)", page) == [(str(len(films())), "films"), (str(len(shows())), "shows")]


def test_both_kinds_are_asked_about_and_tagged(played: Played) -> None:
    """The first run has members in every collection of either kind, and Christmas in both under one tag."""
    _, first, *_ = played.acts
    films_of_christmas, shows_of_christmas = _row(first, "Christmas")
    labels = set(re.findall(r"kai-[a-z-]+", first))

    assert len(labels) == FILM_COLLECTIONS + SHOW_COLLECTIONS - 1
    assert (films_of_christmas[0], shows_of_christmas[0]) == ("kai-christmas", "kai-christmas")
    assert len(played.stage.sonarr.members("kai-christmas")) == int(shows_of_christmas[1])
    assert all(played.stage.radarr.members(label) or played.stage.sonarr.members(label) for label in labels)
    assert all(played.stage.sonarr.members(label) for label in ("kai-among-the-stars", "kai-crime-with-subtitles"))


def test_the_second_run_asks_and_writes_nothing(played: Played) -> None:
    """As its heading claims."""
    _, _, second, *_ = played.acts

    assert "No changes." in second
    assert "nothing was asked" in second


def test_only_what_is_new_is_asked_about(played: Played) -> None:
    """The third run asks about each newcomer at most twice for a collection; the new show gets into one."""
    _, _, _, third, *_ = played.acts
    asked = [columns[4] for name in ("Film Noir", "Heist Films", "Among the Stars") for columns in _row(third, name)]

    assert len(asked) == 3
    assert all(1 <= int(number) <= 2 * 3 for number in asked)
    assert "The Mandalorian (2019)" in third


def test_what_is_close_is_shown_and_answered(played: Played) -> None:
    """The show that is pinned out is one that wants a person, and the answer is the command that stands beside it."""
    *_, queue, pin, _ = played.acts

    assert "Narcos (2015) · Crime with Subtitles: in" in queue
    assert "--pin-in 'Narcos (2015)' --collection 'Crime with Subtitles'  (or --pin-out)" in queue
    assert pin.startswith("--pin-out 'Narcos (2015)' --collection 'Crime with Subtitles'\n")
    assert "is pinned out of Crime with Subtitles" in pin


def test_the_run_with_the_newcomers_is_taken_back(played: Played) -> None:
    """What that run has added is without a tag again, and nothing else is."""
    undo = played.acts[-1]

    assert "2 changes of run " in undo
    assert "The Mandalorian (2019): kai-among-the-stars taken off again" in undo
    assert played.stage.sonarr.labels_of(played.stage.new_show.tvdb_id) == set()
    assert all(not played.stage.radarr.labels_of(film.tmdb_id) for film in played.stage.new_films)
    assert len(played.stage.radarr.members("kai-christmas")) == int(_row(played.acts[1], "Christmas")[0][1])


def test_each_run_sent_a_mail(played: Played) -> None:
    """The subjects of three runs and of the undo stand there as they came."""
    subjects = [str(mail.message["Subject"]) for mail in played.stage.mailbox.received]

    assert len(subjects) == 4
    assert all(f"to you@example.org: {subject}" in played.acts[-1] for subject in subjects)


def test_a_film_and_a_show_are_explained(played: Played) -> None:
    """Each explanation is about collections of its own kind and names one that it is in."""
    _, _, _, _, film, show, *_ = played.acts

    assert ": in (" in film
    assert "Among the Stars: in (" in show
    assert "Film Noir" not in show


def test_pins_of_shows_hold(played: Played) -> None:
    """What the blocks of shows put in is in, also where a title carries its year; what they keep out is out."""
    battlestar, expanse, dark = 73545, 280619, 334824

    assert played.stage.sonarr.members("kai-among-the-stars") >= {battlestar, expanse}
    assert dark not in played.stage.sonarr.members("kai-crime-with-subtitles")


def test_its_sums_are_right(played: Played) -> None:
    """The requests and bulk edits at the end are those that the stand-ins have seen."""
    stage = played.stage

    assert [int(number) for number in re.findall(r"\d+", played.end.partition(".")[0])] == [
        len(stage.claude.requests),
        len(stage.radarr.editor_calls),
        len(stage.sonarr.editor_calls),
    ]
