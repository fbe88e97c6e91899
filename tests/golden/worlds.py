"""The worlds of the golden files: each is a library, some collections, and what is done with the program in turn."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_batches import BATCHES
from kometa_ai.standins.claude_faults import BAD_KEY, SERVER_ERROR, mid_stream, rate_limited
from kometa_ai.standins.faults import answer, html_page
from kometa_ai.standins.radarr import locked
from kometa_ai.standins.radarr_seed import MovieSeed
from tests.golden.scene import Scene
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.golden.wire import Exchange

_ODD_ONES = (
    MovieSeed(
        "Am\u00e9lie & <Friends>", 2001, 194, "tt0211915", overview="She helps\nothers.", cast=("Audrey Tautou",)
    ),
    MovieSeed(
        "Ran", 1985, 11645, genres=("Drama", "War"), keywords=("samurai",), original_title="\u4e71", tags=("4k",)
    ),
    MovieSeed("Plain", 0, 77777),
)
"""Movies whose records are longer, shorter or stranger than most."""

_BROKEN = """\
collections:
  # === KOMETA-AI ===
  # enabled: true
  # promt: Heist films.
  # confidence_threshold: 75
  # include_movies:
  #   - https://www.imdb.com/title/tt0133093/
  # === END KOMETA-AI ===
  Heist Films:
    radarr_taglist: kai-heists
    sync_mode: append

  # === KOMETA-AI ===
  # enabled: treu
  # prompt: |
  #   In space.
  # === END KOMETA-AI ===
  Space:
    radarr_taglist: kai-space
    sync_mode: sync
"""
_TORN = """\
collections:
  "Torn: [
"""


def ordinary(scene: Scene) -> None:
    """A first run with every look at it before and after, a settled run, and one after changes."""
    scene.notify()
    scene.collections(
        _built("Heist"),
        _built("Space", "Films in space.\n#   Not those on Earth.", priority=3, exclude_movies="[tmdb:1003]"),
        "  # === KOMETA-AI ===\n  # prompt: Not now.\n  # === END KOMETA-AI ===\n  Later:\n    sync_mode: sync\n",
    )
    scene.believe("Heist", [1, 2, 3])
    scene.believe("Space", [2, 3, 7])
    scene.truth["Space"]["Ran"] = 0.8
    scene.radarr.tag_by_hand(1004, "kai-gone")
    scene.process("help", "--help")
    scene.call("what is set up", "--dump-config")
    _both(scene, "check", "--check-config")
    _both(scene, "estimate", "--estimate")
    scene.call("dry run", "--dry-run")
    _both(scene, "dry run of one collection", "--dry-run", "--collection", "heist", "--reasons")
    scene.call("first run", "--run-now", "--output", "json")
    scene.call("settled run", "--run-now", "--reasons")
    _both(scene, "explained", "--explain", "Movie 3 (1953)")
    scene.call("the state", "--dump-state")

    scene.radarr.update_movie(1002, overview="Another story.")
    scene.radarr.add_movie(MovieSeed("New", 2020, 5000, genres=("Drama",), overview="A new one."))
    scene.radarr.remove_movie(1005)
    scene.believe("Space", [2], 0.1)
    scene.truth["Heist"]["New"] = 0.9
    scene.collections(_built("Heist", "All about robberies."), _built("Space", priority=3))
    scene.call("estimate after changes", "--estimate")
    scene.call("run after changes, watched", "--run-now", "--reasons", is_watched=True)
    scene.call("test of the notifications", "--test-notification")
    scene.call("wrong options", "--run-now", "--pins")
    scene.call("no such collection", "--run-now", "--collection", "Nothing", "--output", "json")


def rules(scene: Scene) -> None:
    """Second looks and hysteresis, pins, tags that decide, and collections that refer to each other."""
    for number in (4, 5, 6):
        scene.radarr.tag_by_hand(1000 + number, "favourite")
    scene.radarr.tag_by_hand(1006, "kids")
    scene.collections(
        _built("Heist", confidence_threshold=0.6, include_movies='["Movie 9 (1959)", tt9999999]'),
        _built("Best", include_tags="[favourite]", exclude_tags="[kids]"),
        _built("Early", priority=2, include_tags="[kai-late]", exclude_movies="[tmdb:1001]"),
        _built("Late", exclude_tags="[kai-early]"),
    )
    scene.believe("Heist", [0, 1], 0.95)
    scene.believe("Heist", [2], 0.65)
    scene.believe("Heist", [3], 0.5)
    scene.believe("Best", [1])
    scene.believe("Early", [0, 2])
    scene.believe("Late", [1, 2, 3])
    scene.change(claude_review_model="claude-opus-5-5")
    scene.call("first run", "--run-now", "--reasons")

    scene.believe("Heist", [0, 2], 0.55)
    scene.believe("Heist", [3], 0.65)
    scene.believe("Heist", [1], 0.3)
    for number in range(4):
        scene.radarr.update_movie(1000 + number, overview=f"Movie {number} is another film.")
    scene.radarr.untag_by_hand(1004, "favourite")
    scene.call("estimate after changed data", "--estimate", "--output", "json")
    scene.call("run after changed data", "--run-now", "--reasons")
    _both(scene, "explained", "--explain", "tmdb:1002")

    scene.collections(
        _built("Heist", confidence_threshold=0.7, include_movies='["Movie 9 (1959)"]'),
        _built("Best", include_tags="[favourite]", exclude_tags="[kids]"),
        _built("Early", priority=2, include_tags="[kai-late]"),
    )
    scene.call("run after another threshold and a collection less", "--run-now", "--reasons")
    scene.call("asked again", "--force-refresh", "--run-now", "--collection", "best")


def batches(scene: Scene) -> None:
    """A batch is handed over and waited for, and its answers are taken by the next run; another one is cancelled."""
    scene.change(claude_batches="on")
    scene.collections(_built("Heist"), _built("Space"), _built("War"))
    scene.believe("Heist", [1, 2, 3])
    scene.believe("Space", [2, 7])
    scene.believe("War", [9], 0.65)
    scene.claude.batches.polls = 100
    scene.process("handed over, then interrupted", "--run-now", until=_is_poll)
    scene.call("estimate while it is open", "--estimate")

    _end_batches(scene)
    scene.claude.batches.queue_outcome("errored", when=lambda request: request.collection_name == "War")
    scene.claude.batches.queue_outcome("expired", when=lambda request: request.collection_name == "Space")
    scene.call("the answers are taken", "--run-now")
    scene.call("settled run", "--run-now", "--output", "json")

    scene.claude.batches.polls = 100
    scene.collections(_built("Heist", "edited"), _built("Space"), _built("War"))
    scene.process("handed over again", "--run-now", until=_is_poll)
    _both(scene, "cancelled", "--cancel-batches")
    scene.claude.batches.polls = 0
    scene.call("what was cancelled is asked anew", "--run-now")


def groups(scene: Scene) -> None:
    """Several collections share a request; one that is refused or cut off falls apart, in a batch, too."""
    names = ("Heist", "Space", "War")
    scene.collections(*map(_built, names), _built("Noir", priority=2))
    scene.believe("Heist", [1, 2, 3])
    scene.believe("Space", [2, 7])
    scene.believe("War", [4], 0.65)
    scene.call("estimate", "--estimate")
    scene.call("first run", "--run-now")
    scene.collections(*(_built(name, "edited") for name in names), _built("Noir", priority=2))
    scene.claude.queue_style(REFUSED, when=lambda request: "Movie 2" in request.titles)
    scene.claude.queue_style(Style(truncated_at=5), when=lambda request: "Movie 8" in request.titles)
    scene.call("refused and cut off", "--run-now")
    scene.change(claude_batches="on")
    scene.claude.batches.polls = 0
    scene.collections(*(_built(name, "edited again") for name in names), _built("Noir", priority=2))
    scene.call("in a batch", "--run-now")
    scene.call("settled run", "--run-now", "--output", "json")


def failures(scene: Scene) -> None:
    """What Claude and Radarr can do wrong in a run: what can go on goes on, and the report says what is missing."""
    scene.notify()
    scene.collections(_built("Heist"), _built("Space"), _built("War"))
    scene.believe("Heist", [1, 3, 4])
    scene.believe("Space", [2, 7])
    scene.claude.queue_style(REFUSED, times=None, when=lambda request: "Movie 3" in request.titles)
    scene.claude.queue_style(Style(text="Good morning."), when=lambda request: request.collection_name == "Space")
    scene.claude.queue_style(Style(missing=2), when=lambda request: request.collection_name == "War")
    scene.claude.queue_style(Style(truncated_at=5), when=lambda request: request.collection_name == "War")
    scene.claude.faults.add(rate_limited(0.01))
    scene.claude.faults.add(mid_stream(SERVER_ERROR), when=lambda request: request.collection_name == "Heist")
    scene.radarr.faults.inject(locked(), path="*/tag", method="GET")
    scene.radarr.faults.inject(locked(), path="*/movie/editor")
    scene.call("bad answers", "--run-now", "--reasons")
    scene.change(smtp_server="", apprise_urls="", after_changes_url="")
    scene.radarr.add_movie(MovieSeed("New", 2020, 5000, overview="A new one."))
    scene.radarr.faults.inject(answer(404, ""), path="*/credit")
    scene.call("what is left, and a movie whose cast cannot be read", "--run-now")
    scene.call("given up after this", "--run-now", "--output", "json")
    scene.call("explained", "--explain", "Movie 3 (1953)")
    scene.call("asked about again", "--ask-again", "given-up")

    scene.collections(_built("Heist", "edited"), _built("Space"), _built("War"))
    scene.claude.faults.add(BAD_KEY)
    scene.call("a key that is refused", "--run-now", "--output", "json")
    scene.claude.faults.clear()
    scene.radarr.faults.inject(html_page(), path="*/system/status", times=None)
    scene.call("a page in place of Radarr", "--run-now")
    scene.call("explained without Radarr", "--explain", "Movie 3 (1953)")
    scene.radarr.faults.clear()
    scene.radarr.faults.inject(answer(200, "[]", content_type="application/json"), path="*/movie")
    scene.call("an empty library", "--run-now", "--output", "json")
    scene.change(claude_model="claude-sonet-5-5")
    scene.call("a model that there is not", "--run-now")
    scene.change(radarr_url="radarr:7878:7878", batch_size="many")
    _both(scene, "wrong settings", "--run-now")


def limits(scene: Scene) -> None:
    """The budget ends a run, and the brakes hold removals and additions back until they are let through."""
    scene.collections(_built("Heist"), _built("Best", include_tags="[favourite]"))
    scene.believe("Heist", range(0, 28, 4))
    for number in range(8):
        scene.radarr.tag_by_hand(1000 + number, "favourite")
    scene.change(max_cost_per_run="0.01")
    scene.call("the budget ends", "--run-now")
    scene.call("the budget ends once more", "--run-now", "--output", "json")
    scene.change(max_cost_per_run="0")
    scene.call("without a limit", "--run-now")

    for number in range(6):
        scene.radarr.untag_by_hand(1000 + number, "favourite")
    scene.call("removals are held back", "--run-now")
    scene.call("removals are allowed", "--run-now", "--allow-removals")
    for number in range(4, 28):
        scene.radarr.tag_by_hand(1000 + number, "favourite")
    scene.call("additions are held back", "--run-now", "--output", "json")
    for number in range(12, 28):
        scene.radarr.remove_movie(1000 + number)
    scene.call("the library has shrunk", "--run-now")
    scene.call("the library is accepted", "--run-now", "--accept-library")


def undo(scene: Scene) -> None:
    """A run is taken back, which makes pins; they hold, are listed and are released."""
    scene.notify()
    scene.collections(_built("Heist"), _built("Space"))
    scene.believe("Heist", [1, 2, 3])
    scene.believe("Space", [2, 7])
    scene.call("first run", "--run-now")
    first = scene.run_id
    scene.believe("Heist", [2], 0.0)
    scene.believe("Heist", [5, 6], 0.9)
    _wait_for_the_next_second()
    scene.call("second run", "--run-now", "--force-refresh")
    second = scene.run_id
    scene.radarr.untag_by_hand(1006, "kai-heist")
    scene.radarr.untag_by_hand(1007, "kai-space")
    _wait_for_the_next_second()
    scene.call("only shown", "--undo", second, "--dry-run")
    _wait_for_the_next_second()
    scene.call("only shown, as JSON", "--undo", second, "--dry-run", "--output", "json")
    _wait_for_the_next_second()
    scene.call("taken back", "--undo", second)
    _both(scene, "the pins", "--pins")
    _wait_for_the_next_second()
    scene.call("the pins hold", "--run-now")
    scene.call("explained", "--explain", "Movie 5 (1955)")
    _wait_for_the_next_second()
    scene.call("nothing left to take back", "--undo", second)
    _wait_for_the_next_second()
    scene.call("the first run is taken back", "--undo", first, "--output", "json")
    scene.call("an unknown run", "--undo", "20260101-000000-0000")
    scene.call("a pin is released", "--release-pin", "tmdb:1005")
    scene.call("a pin that there is not", "--release-pin", "tmdb:1011", "--output", "json")
    scene.call("without that pin", "--run-now")
    scene.call("a fresh state", "--reset-state")


def choices(scene: Scene) -> None:
    """People have the last word: pins, hand edits, what wants them, and another threshold looked at."""
    scene.notify()
    scene.collections(_built("Heist"), _built("Space"))
    scene.believe("Heist", [1, 2, 3])
    scene.believe("Heist", [4], 0.75)
    scene.believe("Space", [7])
    scene.call("first run", "--run-now")
    _both(scene, "what wants a person", "--review")
    _both(scene, "another threshold", "--what-if", "Heist=0.8")
    scene.call("pinned out", "--pin-out", "tmdb:1001", "--collection", "Heist")
    # Within one second the pin would be the same, and nothing be written: on a busy machine that was left to chance.
    _wait_for_the_next_second()
    scene.call("pinned out, as JSON", "--pin-out", "tmdb:1001", "--collection", "Heist", "--output", "json")
    scene.call("pinned in", "--pin-in", "Movie 6 (1956)", "--collection", "Space")
    scene.call("pinned nowhere", "--pin-in", "tmdb:1006")
    scene.radarr.untag_by_hand(1002, "kai-heist")
    scene.radarr.tag_by_hand(1005, "kai-space")
    _wait_for_the_next_second()
    scene.call("only shown", "--dry-run")
    _wait_for_the_next_second()
    scene.call("choices are carried out", "--run-now")
    _wait_for_the_next_second()
    scene.call("and hold", "--run-now")
    _both(scene, "the pins", "--pins")
    scene.call("explained", "--explain", "tmdb:1002")
    scene.call("one is released", "--release-pin", "tmdb:1002")
    _wait_for_the_next_second()
    scene.call("the model decides again", "--run-now")


def mistakes(scene: Scene) -> None:
    """Kometa files with mistakes: what the check says of them, and what a run does with the rest."""
    scene.collections(_built("War"))
    scene.believe("War", [1, 2])
    scene.call("run before the mistakes", "--run-now")
    (scene.kometa / "broken.yml").write_text(_BROKEN)
    (scene.kometa / "torn.yml").write_text(_TORN)
    _both(scene, "check", "--check-config")
    scene.call("what is set up", "--dump-config")
    scene.call("run", "--run-now")
    scene.call("estimate", "--estimate")


WORLDS: dict[str, tuple[Callable[[Scene], None], Callable[[], list[MovieSeed]], dict[str, Any]]] = {
    "ordinary": (ordinary, lambda: [*movies(9), *_ODD_ONES], {"batch_size": 5}),
    "rules": (rules, lambda: movies(10), {}),
    "batches": (batches, lambda: movies(10), {"batch_size": 5}),
    "groups": (groups, lambda: movies(10), {"batch_size": 5, "collections_per_request": "auto"}),
    "failures": (failures, lambda: movies(8), {"batch_size": 8}),
    "limits": (limits, lambda: movies(28), {"batch_size": 14}),
    "undo": (undo, lambda: movies(8), {"hand_edits": "correct"}),
    "choices": (choices, lambda: movies(8), {}),
    "mistakes": (mistakes, lambda: movies(4), {}),
}
"""What is done in each world, its library, and its settings."""


@contextmanager
def played(name: str, folder: Path) -> Iterator[Scene]:
    """The scene of a world after all that is done in it."""
    play, library, settings = WORLDS[name]
    with Scene(folder, library(), **settings) as scene:
        play(scene)
        yield scene


def _built(name: str, prompt: str = "", **keys: object) -> str:
    """A collection with a block, which Kometa builds from its tag."""
    return f"{block(name, prompt, **keys)}    radarr_taglist: kai-{name.lower()}\n"


def _both(scene: Scene, step: str, *arguments: str) -> None:
    """Call a command for people and for scripts."""
    scene.call(step, *arguments)
    scene.call(f"{step}, as JSON", *arguments, "--output", "json")


def _wait_for_the_next_second() -> None:
    """Runs of the same second are listed in an order that is left to chance."""
    time.sleep(1.01 - time.time() % 1)


def _is_poll(exchange: Exchange) -> bool:
    return exchange.method == "GET" and exchange.target.startswith(f"{BATCHES}/msgbatch")


def _end_batches(scene: Scene) -> None:
    """Let every batch end when it is looked at."""
    scene.claude.batches.polls = 0
    for batch in scene.claude.batches.known.values():
        batch.polls_left = 0
