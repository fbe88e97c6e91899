"""Many nights: shows that run, items that come and go, batches and limits, with films and shows in three libraries."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.item import movie_key, show_key
from kometa_ai.standins.faults import answer
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILMS, SHOWS = 20, 16
NOIR, CRIME, MERRY_FILMS, MERRY_SHOWS = {1, 2, 3, 4, 11}, {0, 5, 6, 15}, {2, 7}, {5, 8}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twenty films, every second in 4K, too, and sixteen shows; four collections, of which two have one name."""
    films = movies(FILMS)
    with Home(tmp_path, films, films[::2], shows(SHOWS), batch_size=10) as made:
        made.collections(block("Noir"), block("Christmas"))
        made.collections(block("Crime", media="shows"), block("Christmas", media="shows"), file="shows.yml")
        made.believe("Noir", NOIR)
        made.believe("Christmas", MERRY_FILMS)
        made.believe_shows("Crime", CRIME)
        made.believe_shows("Christmas", MERRY_SHOWS)
        yield made


def check(home: Home) -> None:
    """The tags are the truth in each library."""
    assert (home.members("radarr", "Noir"), home.members("radarr", "Christmas")) == (NOIR, MERRY_FILMS)
    assert home.members("radarr-4k", "Noir") == {number for number in NOIR if number % 2 == 0}
    assert (home.members("sonarr", "Crime"), home.members("sonarr", "Christmas")) == (CRIME, MERRY_SHOWS)


# Shows that run


def test_sixty_weeks(home: Home) -> None:
    """Running shows get seasons, airings and ratings every week; only news that a verdict depends on asks, and once."""
    for number in range(SHOWS):
        home.sonarr.update_show(1000 + number, status="upcoming" if number == 9 else "continuing")
    home.run()
    home.asked()
    news: dict[int, tuple[int, dict[str, Any]]] = {
        12: (3, {"status": "ended"}),
        20: (4, {"overview": "A better plot."}),
        28: (6, {"network": "Another Network"}),
        36: (7, {"genres": ("Drama", "Crime")}),
        44: (10, {"original_language": "Danish"}),
        52: (3, {"status": "continuing"}),
    }
    silent: dict[int, tuple[int, dict[str, Any]]] = {
        4: (9, {"status": "continuing"}),
        16: (3, {"status": "deleted"}),
        24: (2, {"certification": "TV-MA", "runtime": 61}),
        32: (1, {"series_type": "anime", "alternate_titles": ("Another",)}),
        40: (7, {"genres": ("Crime", "Drama")}),
    }
    asked = {}
    for week in range(60):
        home.sonarr.week()
        if change := (news | silent).get(week):
            number, fields = change
            home.sonarr.update_show(1000 + number, **fields)
        if week % 4 == 0 or week == 59:
            report = home.run()
            assert report.exit_code == 0
            if found := home.asked():
                asked[week] = found

    assert asked == {
        week: [(name, f"Show {number}") for name in ("Christmas", "Crime")] for week, (number, _) in news.items()
    }
    check(home)


def test_a_rebuilt_sonarr(home: Home) -> None:
    """Other row ids and other ids of tags: nothing is asked, nothing is written."""
    home.change(hand_edits="correct")
    home.run()
    home.asked()
    home.sonarr.rebuild()
    home.sonarr.requests.clear()
    home.radarr.requests.clear()
    home.radarr_4k.requests.clear()

    assert home.run().exit_code == 0
    assert (home.asked(), home.writes()) == ([], {})

    home.sonarr.untag_by_hand(1000, "kai-crime")
    home.run()
    check(home)


def test_a_merge_at_tvdb(home: Home) -> None:
    """A show that gets its twin's number is another one: asked once for each collection, and tagged as that is."""
    home.run()
    home.asked()
    home.sonarr.merge(1005, 5005)

    home.run()
    assert home.asked() == [("Christmas", "Show 5"), ("Crime", "Show 5")]
    home.run()
    assert home.asked() == []
    assert home.sonarr.labels_of(5005) == {"kai-crime", "kai-christmas"}


# What comes and goes


@pytest.mark.parametrize("seed", range(4))
def test_tags_follow_the_truth_whatever_comes_and_goes(home: Home, seed: int) -> None:
    """Items added and removed, tags changed by hand, libraries down: each pair is paid for once, and all end right."""
    home.change(hand_edits="correct")
    dice = random.Random(seed)
    films, series = movies(FILMS), shows(SHOWS)
    in_4k, away = set(range(0, FILMS, 2)), set[int]()
    asked: Counter[tuple[str, str]] = Counter()
    for _ in range(7):
        number = dice.randrange(FILMS)
        if number in in_4k and len(in_4k) > FILMS // 2 - 3:
            home.radarr_4k.remove_movie(1000 + number)
            in_4k.remove(number)
        elif number not in in_4k:
            home.radarr_4k.add_movie(films[number])
            in_4k.add(number)
        number = dice.randrange(SHOWS)
        if number in away:
            home.sonarr.add_show(series[number])
            away.remove(number)
        elif len(away) < 3:
            home.sonarr.remove_show(1000 + number)
            away.add(number)
        for name, service in home.services.items():
            there = in_4k if name == "radarr-4k" else set(range(SHOWS)) - away if name == "sonarr" else range(FILMS)
            changed = 1000 + dice.choice(sorted(there))
            label = dice.choice(["kai-christmas", "kai-crime" if name == "sonarr" else "kai-noir"])
            is_tagged = label in service.labels_of(changed)
            (service.untag_by_hand if is_tagged else service.tag_by_hand)(changed, label)
        down = dice.choice([None, *home.services.values()])
        fault = down.faults.inject(answer(401), times=None) if down else None
        report = home.run()
        asked += Counter(home.asked())
        assert report.exit_code == (1 if down else 0)
        if fault:
            fault.times = 0
    home.run()
    asked += Counter(home.asked())

    here = set(range(SHOWS)) - away
    assert max(asked.values()) == 1
    assert (home.members("radarr", "Noir"), home.members("radarr", "Christmas")) == (NOIR, MERRY_FILMS)
    assert (home.members("radarr-4k", "Noir"), home.members("radarr-4k", "Christmas")) == (
        NOIR & in_4k,
        MERRY_FILMS & in_4k,
    )
    assert (home.members("sonarr", "Crime"), home.members("sonarr", "Christmas")) == (CRIME & here, MERRY_SHOWS & here)


# Batches and limits


def test_batches_of_both_kinds(home: Home) -> None:
    """One run hands over films and shows, each request of one kind; the next takes the answers of both."""
    home.change(claude_batches="on")
    home.claude.batches.polls = 0

    runs = [home.run() for _ in range(4)]

    batched = [request for request in home.claude.requests if request.batch_id]
    assert {title.split()[0] for request in batched for title in request.titles} == {"Movie", "Show"}
    for request in home.claude.requests:
        assert len({title.split()[0] for title in request.titles}) <= 1
    custom = [(request.batch_id, request.custom_id) for request in batched]
    assert len(custom) == len(set(custom))
    asked = home.asked()
    assert len(asked) == len(set(asked)) == 2 * FILMS + 2 * SHOWS
    assert runs[-1].exit_code == 0
    check(home)


def test_a_library_that_is_down_while_its_answers_come(home: Home) -> None:
    """What was asked about shows is taken when Sonarr is back, and not asked again."""
    home.change(claude_batches="on")
    home.claude.batches.polls = 0
    home.run()
    fault = home.sonarr.faults.inject(answer(401), times=None)
    for _ in range(3):
        home.run()
    fault.times = 0

    for _ in range(4):
        report = home.run()

    asked = home.asked()
    assert len(asked) == len(set(asked))
    assert report.exit_code == 0
    check(home)


def test_a_limit_of_cost_starves_no_kind(home: Home) -> None:
    """With little money a run, all that is open is asked in the end, of films and of shows, and nothing twice."""
    home.change(max_cost_per_run=0.012)
    home.run()
    asked = Counter(home.asked())
    assert {title.split()[0] for _, title in asked} == {"Movie", "Show"}
    assert asked.total() < 2 * FILMS + 2 * SHOWS
    for _ in range(30):
        report = home.run()
        asked += Counter(home.asked())
        if not report.pending:
            break

    assert report.pending == 0
    assert (len(asked), max(asked.values())) == (2 * FILMS + 2 * SHOWS, 1)
    check(home)


def test_some_shows_only(home: Home) -> None:
    """A run for one show reads Sonarr alone, and asks about and tags that show only; one for both kinds, both."""
    home.run(movies=frozenset({show_key(1005)}))
    assert home.asked() == [("Christmas", "Show 5"), ("Crime", "Show 5")]
    assert (home.members("sonarr", "Crime"), home.members("radarr", "Noir")) == ({5}, set())
    assert (home.radarr.list_reads, home.radarr_4k.list_reads) == ([], [])

    home.run(movies=frozenset({show_key(1006), movie_key(1002)}))
    assert home.asked() == [
        ("Christmas", "Movie 2"),
        ("Christmas", "Show 6"),
        ("Crime", "Show 6"),
        ("Noir", "Movie 2"),
    ]
    assert home.members("radarr-4k", "Noir") == home.members("radarr", "Noir") == {2}


def test_one_collection_of_both_kinds(home: Home) -> None:
    """`--collection` with a name that two have is about both; no other is asked about, forced or not."""
    home.run(collections=("Christmas",))
    asked = home.asked()
    assert {name for name, _ in asked} == {"Christmas"}
    assert len(asked) == FILMS + SHOWS

    home.run(collections=("Crime",), force_refresh=True)
    assert home.asked() == sorted(("Crime", f"Show {number}") for number in range(SHOWS))


def test_forced_and_asked_again(home: Home) -> None:
    """`--force-refresh` asks all pairs of both kinds once more; `--ask-again` those of the request that it names."""
    home.run()
    home.asked()
    home.run(force_refresh=True)
    assert len(home.asked()) == 2 * FILMS + 2 * SHOWS

    decision = home.decision("show", 5, "crime")
    home.run(ask_again=(decision.request,))

    asked = home.asked()
    assert ("Crime", "Show 5") in asked
    assert {name for name, _ in asked} == {"Crime"}
    check(home)
