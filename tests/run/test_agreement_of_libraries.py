"""A run, an estimate and explanations agree in random homes with films and shows in up to four libraries."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

from kometa_ai.app import open_parts, rules_of
from kometa_ai.core.choice import Pin
from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Reason
from kometa_ai.core.item import Kind, kind_of, movie_key, number_of, show_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.options import Options
from kometa_ai.jobs.estimate import Estimate, estimate
from kometa_ai.jobs.explain import Explained, explain
from kometa_ai.standins.arr.standin import API_KEY
from kometa_ai.standins.faults import answer
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.store import Store
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kometa_ai.core.report import RunReport
    from kometa_ai.standins.radarr import RadarrStandIn

FILMS, SHOWS = 8, 6
NAMES: dict[Kind, tuple[str, ...]] = {"movie": ("Noir", "Heist", "Christmas"), "show": ("Crime", "Cosy", "Christmas")}
CONFIDENCES = (0.95, 0.95, 0.78, 0.72, 0.66, 0.3)
NOTHING = 0.000001
"""A cost limit below the price of any request."""


class Pair(NamedTuple):
    """A change, or what would be one: of a collection's tag, on an item, in a library."""

    collection: CollectionKey
    library: str
    number: int
    comes: bool


class Homes(Home):
    """A home with a second Sonarr, some of whose libraries are in the settings. `holding` says what each holds."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        films, series = movies(FILMS), shows(SHOWS)
        in_4k, anime = dice.sample(films, 4), dice.sample(series, 3)
        settings = {"removal_limit": 100, "addition_limit": 10**6, "hand_edits": "correct"}
        super().__init__(folder, films[:-1], in_4k, series[:-1], **settings)
        self.sonarr_anime = SonarrStandIn(anime)
        held = {
            "radarr": {seed.tmdb_id for seed in films[:-1]},
            "radarr-4k": {seed.tmdb_id for seed in in_4k},
            "sonarr": {seed.tvdb_id for seed in series[:-1]},
            "sonarr-anime": {seed.tvdb_id for seed in anime},
        }
        optional = ("radarr-4k", "sonarr", "sonarr-anime")
        chosen = {"radarr", *dice.sample(optional, dice.choice([1, 2, 3, 3]))}
        self.holding = {name: numbers for name, numbers in held.items() if name in chosen}

    def __enter__(self) -> Self:
        super().__enter__()
        url = self._stack.enter_context(serve(self.sonarr_anime.app))
        self.change(sonarr_anime_url=url, sonarr_anime_api_key=API_KEY)
        for name in self.services.keys() - self.holding.keys():
            self.change(**{f"{name.replace('-', '_')}_{key}": "" for key in ("url", "api_key")})
        return self

    @property
    def services(self) -> dict[str, RadarrStandIn | SonarrStandIn]:
        """The libraries by their names."""
        return {**super().services, "sonarr-anime": self.sonarr_anime}

    def libraries(self, kind: Kind) -> list[str]:
        """The libraries of a kind that are in the settings."""
        return [name for name in self.holding if kind_in(name) == kind]

    def everything(self) -> Iterator[tuple[Kind, int]]:
        """Every item that some library holds."""
        found = {(kind_in(name), number) for name, held in self.holding.items() for number in held}
        yield from sorted(found)


def kind_in(library: str) -> Kind:
    """What a library holds."""
    return "movie" if library.startswith("radarr") else "show"


def title_of(kind: Kind, number: int) -> str:
    """The name of an item, as in a pin."""
    place = number - 1000
    return f"Movie {place} ({1950 + place})" if kind == "movie" else f"Show {place} ({1990 + place})"


def listed(words: Iterable[str]) -> str:
    """A list in YAML."""
    return f"[{', '.join(words)}]"


def a_block(dice: random.Random, home: Homes, kind: Kind, name: str) -> tuple[str, bool]:
    """A random block, and whether its rules name another collection."""
    others = [other for other in NAMES[kind] if other != name]
    include, exclude = dice.sample(others, dice.choice([0, 0, 1])), dice.sample(others, dice.choice([0, 0, 1]))
    first = 1000
    count, service = (FILMS, "tmdb") if kind == "movie" else (SHOWS, "tvdb")
    ids = [f"{service}:{number}" for number in dice.sample(range(first, first + count), 2)]
    keys: dict[str, Any] = {
        "media": f"{kind}s",
        "priority": dice.randrange(3),
        "confidence_threshold": dice.choice([0.7, 0.7, 0.6, 0.8]),
        "include_tags": listed([*(f"KAI-{other}" for other in include), *dice.sample(["by-hand"], dice.randrange(2))]),
        "exclude_tags": listed(f"KAI-{other}" for other in exclude),
        f"include_{kind}s": listed(ids[: dice.randrange(2)]),
        f"exclude_{kind}s": listed(ids[1:] if dice.random() < 0.3 else ()),
    }
    if (names := home.libraries(kind)) and dice.random() < 0.3:
        keys["libraries"] = listed([dice.choice(names)])
    prompt = dice.choice(["", "", f"Only the best of {name}."])
    return block(name, prompt, **keys), bool(include or exclude)


def write_blocks(dice: random.Random, home: Homes) -> set[CollectionKey]:
    """Write new blocks, and return the collections that depend on no other."""
    alone = set()
    for kind, names in NAMES.items():
        made = {name: a_block(dice, home, kind, name) for name in names}
        home.collections(*(text for text, _ in made.values()), file=f"{kind}s.yml")
        alone |= {collection_key(kind, Slug(name.lower())) for name, (_, depends) in made.items() if not depends}
    return alone


def meddle(dice: random.Random, home: Homes) -> None:
    """What people do between runs."""
    for name, held in home.holding.items():
        kind, service = kind_in(name), home.services[name]
        for number in held:
            if dice.random() < 0.3:
                service.tag_by_hand(number, dice.choice([f"kai-{dice.choice(NAMES[kind]).lower()}", "by-hand"]))
        for number in dice.sample(sorted(held), dice.randrange(2)):
            plot = f"Another plot, number {dice.randrange(1000)}."
            if isinstance(service, SonarrStandIn):
                service.update_show(number, overview=plot)
            else:
                service.update_movie(number, overview=plot)
    kept = ChoicesFile(home.state_dir)
    for kind, number in dice.sample(list(home.everything()), dice.randrange(3)):
        key = movie_key(number) if kind == "movie" else show_key(number)
        slug = Slug(dice.choice(NAMES[kind]).lower())
        pin = Pin(key=key, slug=slug, include=dice.random() < 0.5, since=home.now)
        kept.change(lambda choices: choices.with_pins(pin))  # noqa: B023 - called at once


async def foretold(home: Homes, readable: Sequence[str]) -> tuple[Estimate, list[Explained]]:
    """What is said of the next run, and of each item of a readable library."""
    options = Options(batch_size=rules_of(home.settings).page_size)
    items = [
        (kind, number)
        for kind, number in home.everything()
        if any(kind_in(name) == kind and number in home.holding[name] for name in readable)
    ]
    async with open_parts(home.settings, Store.load(home.state_dir, read_only=True)) as parts:
        rules = rules_of(home.settings)
        told = [await explain(parts, rules, options, title_of(kind, number)) for kind, number in items]
        return await estimate(parts, rules, options), told


def planned(home: Homes, report: RunReport) -> set[Pair]:
    """Each change of a dry run."""
    return {
        Pair(collection.key, library, number_of(line.key), comes)
        for collection in report.collections
        for lines, comes in ((collection.added, True), (collection.removed, False))
        for line in lines
        for library in line.libraries or home.libraries(collection.kind)
    }


def explained(home: Homes, told: Sequence[Explained], blocks: dict[CollectionKey, frozenset[str]]) -> set[Pair]:
    """The same as it follows from where each item is said to belong, and from the tags that each library has."""
    found = set()
    for item in told:
        kind, number = kind_of(item.key), number_of(item.key)
        said = {each.slug: each for each in item.collections}
        for name in item.libraries:
            labels = home.services[name].labels_of(number)
            for key, narrowed in blocks.items():
                slug = key.rpartition(":")[2]
                if collection_key(kind, Slug(slug)) != key:
                    continue
                is_here = not narrowed or name in narrowed
                belongs = said[slug].belongs if is_here else False
                if belongs is not None and belongs is not (f"kai-{slug}" in labels):
                    found.add(Pair(key, name, number, belongs))
    return found


def agree(home: Homes, readable: Sequence[str]) -> set[tuple[str, str]]:
    """Compare a run that may ask nothing with the estimate and the explanations; return the pairs to be asked about."""
    home.change(max_cost_per_run=NOTHING)
    expected, told = asyncio.run(foretold(home, readable))
    report = home.run(dry_run=True)
    home.change(max_cost_per_run=0)

    lines = {collection_key(each.kind, Slug(each.slug)): each for each in expected.collections}
    here = {each.key: each for each in report.collections}
    assert lines.keys() == here.keys()
    for key, line in lines.items():
        asked_for = Counter(
            each.to_be_asked
            for item in told
            for each in item.collections
            if each.to_be_asked and collection_key(kind_of(item.key), Slug(each.slug)) == key
        )
        assert dict(asked_for) == line.reasons == here[key].reasons, key
        assert line.pending == here[key].pending
    assert expected.pending == report.pending
    narrowed = {key: frozenset() if not (found := _libraries_of(home, key)) else found for key in here}
    assert planned(home, report) == explained(home, told, narrowed)
    first_looks = {str(reason) for reason in Reason if reason.is_asked_first}
    return {
        (collection_key(kind_of(item.key), Slug(each.slug)), item.title)
        for item in told
        for each in item.collections
        if each.to_be_asked in first_looks
    }


def _libraries_of(home: Homes, key: CollectionKey) -> frozenset[str]:
    """What a block says under `libraries`."""
    kind: Kind = "show" if key.startswith("show:") else "movie"
    text = (home.kometa / f"{kind}s.yml").read_text()
    name = next(name for name in NAMES[kind] if name.lower() == key.rpartition(":")[2])
    before = text.partition(f'"{name}":')[0].rpartition("# === KOMETA-AI ===")[2]
    _, found, rest = before.partition("# libraries: [")
    return frozenset({rest.partition("]")[0]}) if found else frozenset()


@pytest.mark.parametrize("seed", range(12))
def test_what_is_foretold_is_what_a_run_does(tmp_path: Path, seed: int) -> None:
    """The questions of an estimate are those of a run, and explanations say what it changes in each library.

    Blocks of both kinds name each other's tags, pins, thresholds and libraries; two have the same name. Items are in
    several libraries, with other facts and tags; sometimes one of the libraries is down.
    """
    dice = random.Random(seed)
    with Homes(tmp_path, dice) as home:
        write_blocks(dice, home)
        for names, believe, count in (
            (NAMES["movie"], home.believe, FILMS),
            (NAMES["show"], home.believe_shows, SHOWS),
        ):
            for name in names:
                for number in dice.sample(range(count), 4):
                    believe(name, [number], dice.choice(CONFIDENCES))
        for _ in range(dice.randrange(4)):
            home.change(max_cost_per_run=dice.choice([0, 0, 0.002]))
            home.run()
            meddle(dice, home)
            if dice.random() < 0.3:
                write_blocks(dice, home)
        alone = write_blocks(dice, home)
        readable = list(home.holding)
        if dice.random() < 0.4:
            down = dice.choice(readable)
            home.services[down].faults.inject(answer(401), times=None)
            readable.remove(down)
        home.claude.forget()

        foreseen = agree(home, readable)
        home.run()
        asked = {
            (collection_key("movie" if title.startswith("Movie") else "show", Slug(name.lower())), title)
            for name, title in home.asked()
        }
        agree(home, readable)

    assert {pair for pair in asked if pair[0] in alone} == {pair for pair in foreseen if pair[0] in alone}
