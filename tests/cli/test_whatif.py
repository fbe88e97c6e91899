"""`--what-if` from outside: what it prints, as text and as JSON, and its exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.output import console as output_console
from kometa_ai.cli.whatif import print_bars, print_lines, print_what_if
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.problem import Correction
from kometa_ai.jobs.whatif import Follower, LibraryTags, Title, WhatIf
from kometa_ai.judging.whatif import histogram
from kometa_ai.kometa.checking.rewording import LinesToCopy
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


@pytest.fixture
def judged(world: World) -> World:
    """A collection whose movies have confidences around its threshold."""
    world.collections(block("Heist", exclude_movies="[tmdb:1011]"), block("Crime", include_tags="[kai-heist]"))
    for number in range(11):
        world.believe("Heist", [number], 0.5 + number / 20)
    world.run()
    world.claude.forget()
    return world


def test_text(judged: World, call: Call) -> None:
    """Counts come first, then who enters and leaves, the tags, the line with its place, and what the next run does."""
    ended = call("--what-if", "Heist=0.65")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "Heist at 0.65 (now 0.7): 8 would be in (now 7). 1 movie would enter, 0 would leave.",
        "As they are stay 1 pin (0 in, 1 out) and 0 by tag (0 in, 0 out).",
        "Would enter:",
        "  Movie 3 (1953) 0.65",
        "Crime follows, as its block names the tag:",
        "Would enter:",
        "  Movie 3 (1953) 0.00 (include tag)",
        "Tags in Radarr: 7 now; 1 to add, 0 to remove.",
        "Above line 4 of movies.yml put in:",
        "    # confidence_threshold: 0.65",
        "The next run does it and asks nothing. After an edit of the block the brake does not hold.",
    ]
    assert not judged.claude.requests


def test_json(judged: World, call: Call) -> None:
    """As JSON it holds the same, with the histogram in 21 steps."""
    ended = call("--what-if", "heist=0.75", "--output", "json")

    assert ended.code == 0
    assert [title["title"] for title in ended.data["leaves"]] == ["Movie 4"]
    assert len(ended.data["histogram"]) == 21
    assert not judged.claude.requests
    assert ended.data["histogram"][14] == {"confidence": 0.7, "included": 1, "others": 0}
    assert ended.data["follow"][0]["asks"] == 1
    assert ended.data["lines"][0]["correction"] == {"first": 4, "last": 3, "lines": ["  # confidence_threshold: 0.75"]}


@pytest.mark.parametrize(
    ("wish", "what"), [("Heist=2", "is no threshold"), ("Nothing=0.5", "There are: Crime, Heist.")]
)
def test_wrong_wishes(judged: World, call: Call, wish: str, what: str) -> None:
    """A wrong number or name is wrong usage, and says what there is."""
    del judged
    ended = call("--what-if", wish)

    assert ended.code == 2
    assert what in ended.err


FOUND = WhatIf(
    collection="Heist[/]",
    key=CollectionKey("heist"),
    kind="movie",
    tag="kai-heist",
    threshold_now=0.7,
    threshold=0.65,
    members_now=2,
    members=62,
    enters=tuple(
        Title(key=movie_key(n), title=f"Movie {n}", year=2000, confidence=0.65, waits=n == 1) for n in range(1, 61)
    ),
    leaves=(Title(key=movie_key(99), title="Gone", year=2001, because=Cause.EXCLUDE_TAG),),
    pinned_in=0,
    pinned_out=0,
    in_by_tag=0,
    out_by_tag=0,
    second_looks=1,
    asks=3,
    undecided={"new": 2},
    histogram=histogram([(True, 0.65)] * 60 + [(False, 0.0)]),
    libraries=(
        LibraryTags(library="radarr", title="Radarr", tagged=2, to_add=60, to_remove=1, held_back=4, in_review=6),
    ),
    follow=(
        Follower(
            collection="Crime", key=CollectionKey("crime"), enters=(), leaves=(), asks=2, held_back=5, in_review=7
        ),
    ),
    lines=(),
)


def test_long_lists_and_what_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty titles of a list are shown; second looks, open questions and what the brake holds are told."""
    print_what_if(FOUND)

    out = capsys.readouterr().out
    assert "and 10 more; --output json lists them all" in out
    assert "Movie 1 (2000) 0.65 a second look comes first" in out
    assert "Gone (2001) (exclude tag)" in out
    assert "A second look is due for 1 movie: its outcome may differ." in out
    assert "Not decided, and left as they are until a run has asked: 2 new." in out
    assert (
        "Crime follows, as its block names the tag; 2 movies must be asked about; the brake would hold back 5 changes; "
        "7 changes would wait for a person:" in out
    )
    assert "60 to add, 1 to remove, 4 held back, 6 wait for a person first." in out
    assert "asks 3 questions because of it, and what is open in any case (2 new)." in out


def test_bars_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """The bars have a character for each step, and marks below at both thresholds."""
    print_bars(output_console(), FOUND)

    out = capsys.readouterr().out.splitlines()
    assert out[0].rstrip() == "belongs               █"
    assert out[1].rstrip() == "does not █"
    assert out[2].split("from")[0].rstrip() == "                      ^n"


def test_lines_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines say which they replace; where none can be given, what to write by hand."""
    print_lines(output_console(), LinesToCopy("a.yml", 3, Correction(4, 4, ("\t# x",))))
    print_lines(output_console(), LinesToCopy("a.yml", 3, Correction(4, 6, ("  # y", "  # z"))))
    print_lines(output_console(), LinesToCopy("a.yml", 3, by_hand="Write it."))

    assert capsys.readouterr().out.splitlines() == [
        "In place of line 4 of a.yml:",
        "    # x",
        "In place of lines 4 to 6 of a.yml:",
        "    # y",
        "    # z",
        "a.yml:3: Write it.",
    ]
