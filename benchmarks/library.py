"""Generate a library, its collections and the true memberships: invented, of realistic length, the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from zlib import crc32

from kometa_ai.core.item import ArrId, movie_key, number_of, show_key
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.show import Show
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.sonarr_seed import ShowSeed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.figures import Kind
    from kometa_ai.core.show import Status

_Word = TypeVar("_Word")
FIRST_TMDB_ID: Final = 100_000
FIRST_TVDB_ID: Final = 100_000
BORDERLINE: Final = 0.2
"""Pairs near the threshold, which get a second look, as a share of the members; half of them prove to be members."""
RESEMBLING: Final = 0.2
"""Pairs that an answer explains although they clearly do not belong, as a share of the members."""


def _cut(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_REASONS: Final = (
    "The record names a heist crew, a vault and a betrayal.",
    "Its detective story turns on the double life of the widow.",
    "Set in the years asked for, and told with a dry wit.",
    "The plot follows two strangers who fall out and make up.",
)
_SHORTEST_PLOT, _LONGEST_PLOT = 300, 600
_ACTORS = 5

_ADJECTIVES = _cut(
    "Silent|Crimson|Hollow|Broken|Golden|Distant|Last|Hidden|Burning|Frozen|Restless|Gentle|Savage|Pale|Electric|"
    "Bitter|Velvet|Stolen|Perfect|Lonely|Midnight|Reckless|Sacred|Empty|Wild|Tender|Invisible|Second|Iron|Quiet"
)
_NOUNS = _cut(
    "Harbor|Witness|Garden|Road|Promise|Stranger|Letter|River|Kingdom|Mirror|Summer|Detective|Train|Island|Daughter|"
    "Fortune|Signal|Orchard|Verdict|Shadow|Empire|Circus|Widow|Bridge|Season|Frontier|Lantern|Covenant|Tide|Prophet"
)
_PLACES = _cut(
    "Vienna|the North|Santa Rosa|Marrakesh|the Valley|Black Creek|Osaka|Paradise|Dry Lake|the Moon|Lisbon|Elm Street|"
    "the Border|Kowloon|Saint Agnes|Winter|the Old Quarter|Montevideo|the Prairie|Havana|Glass Hill|the Deep|"
    "Copenhagen|Nowhere|Sunday"
)
_GENRES = _cut(
    "Action|Adventure|Animation|Comedy|Crime|Documentary|Drama|Family|Fantasy|History|Horror|Music|Mystery|Romance|"
    "Thriller|War|Western"
)
_KEYWORDS = _cut(
    "heist|revenge|small town|time travel|based on novel or book|dysfunctional family|undercover agent|road trip|"
    "courtroom|haunted house|coming of age|amnesia|train|artificial intelligence|serial killer|first love|survival|"
    "corruption|wedding|space station|prison escape|jazz musician|widow|treasure hunt|journalist|espionage"
)
_FIRST_NAMES = _cut(
    "Elena|Marcus|Ingrid|Tomas|Aiko|Samuel|Nadia|Victor|Priya|Hugo|Rosalind|Kenji|Amara|Felix|Beatrice|Omar|Lucia|"
    "Desmond|Yara|Conrad|Mireille|Stefan|Noor|Walter"
)
_LAST_NAMES = _cut(
    "Hartmann|Okafor|Lindqvist|Moreau|Castellano|Whitfield|Tanaka|Bergstrom|Delacroix|Novak|Ferreira|Abernathy|Kowalski|"
    "Rahman|Sinclair|Vasquez|Thornbury|Petrov|Nakamura|Oyelaran"
)
_NETWORKS = _cut("North One|Channel 9|Meridian|Lumen|Cable Arts|Harbor TV|Videon|The Attic|Kanal Ost|Studio Blue")
_LANGUAGES = ("English", "English", "English", "French", "German", "Japanese", "Korean", "Spanish", "Danish")
_STATUSES: tuple[Status, ...] = ("ended", "ended", "running")
_WHO = _cut(
    "a retired detective|a young violinist|a disgraced surgeon|an ambitious reporter|an estranged brother|"
    "a lonely lighthouse keeper|a small-time forger|a widowed farmer|a gifted codebreaker|an exiled diplomat|"
    "a stubborn schoolteacher|a washed-up boxer"
)
_DOES = _cut(
    "uncovers a secret that someone will kill to keep|returns to the town that once drove the family out|"
    "agrees to one last job against all better judgement|falls for the one person who must never know the truth|"
    "is drawn into a feud between two powerful houses|has a single night to set right an old betrayal|"
    "finds a letter that was never meant to be read|takes in a runaway who is not what she seems|"
    "races a rival across a country on the brink of war|must decide whom to trust when the lights go out"
)
_AND_THEN = _cut(
    "Nothing is as it seems, and every ally has a price.|Meanwhile the police close in from an unexpected side.|"
    "What begins as a game soon turns deadly serious.|Years later, the past comes knocking.|"
    "Only an old photograph holds the answer.|As the storm nears, loyalties begin to shift.|"
    "A chance meeting on a night train changes everything.|With time running out, the unlikely pair form a plan."
)

_THEMES = _cut(
    "Heist Films|Film Noir|Feel-Good Movies|Mind-Bending Movies|Courtroom Dramas|Road Movies|Whodunits|Slow Horror|"
    "Found Family|Cold War Thrillers|Coming of Age|Underdog Sports|Satires of Power|Lonely Cities|Revenge Westerns|"
    "Doomed Romances|Space Survival|Con Artists|Train Movies|One Night Only"
)
_CRITERIA = (
    "Identify {theme} based on these criteria:",
    "- What makes them {theme} is at the heart of the plot, not a single scene or a subplot",
    "- The mood and the visual style are what people who love {theme} look for",
    "- Made for adults; family versions only where they are known beyond their audience",
    "- Parodies count when they know and respect what they make fun of",
    "Leave out documentaries, and films that only borrow a title or a character.",
)


class Verdict(NamedTuple):
    """The judge's verdict on a movie and a collection, at the first look and at the second."""

    confidence: float
    at_second_look: float

    @property
    def is_member(self) -> bool:
        """Whether the movie belongs in the end, at the default threshold."""
        return self.at_second_look >= _THRESHOLD

    @property
    def is_borderline(self) -> bool:
        """Whether there is a second look."""
        return self.confidence != self.at_second_look


_THRESHOLD = 0.7
_PLAIN = Verdict(0.95, 0.95)
_ARGUABLE = Verdict(0.75, 0.85)
_NEARLY = Verdict(0.65, 0.45)
_RESEMBLES = Verdict(0.4, 0.4)
_NOT = Verdict(0.0, 0.0)


class Truth:
    """The true memberships. `members` is the share of a collection's members in the library."""

    def __init__(self, members: float) -> None:
        half = members * BORDERLINE / 2
        self._steps = (
            (members - half, _PLAIN),
            (members, _ARGUABLE),
            (members + half, _NEARLY),
            (members + half + members * RESEMBLING, _RESEMBLES),
        )

    def about(self, collection: str, title: str) -> Verdict:
        """The verdict on a pair, by the names of both."""
        place = crc32(f"{collection}\n{title}".encode()) / 2**32
        for step, verdict in self._steps:
            if place < step:
                return verdict
        return _NOT


def reason(title: str) -> str:
    """A short reason, as a model gives one."""
    return _one(_REASONS, title, "reason")


def names(count: int) -> list[str]:
    """The names of that many collections."""
    return [
        _THEMES[n % len(_THEMES)] + (f" {n // len(_THEMES) + 1}" if n >= len(_THEMES) else "") for n in range(count)
    ]


def kometa_file(collections: Sequence[str], kind: Kind = "movies") -> str:
    """One of Kometa's files with a block for each collection."""
    lines = ["collections:"]
    media = ["  # media: shows"] if kind == "shows" else []
    for name in collections:
        lines += ["  # === KOMETA-AI ===", "  # enabled: true", *media, "  # prompt: |"]
        lines += [f"  #   {line}" for line in criteria(name).splitlines()]
        lines += ["  # === END KOMETA-AI ===", f'  "{name}":', "    sync_mode: sync"]
    return "\n".join(lines) + "\n"


def criteria(name: str) -> str:
    """The user's prompt for a collection."""
    return "\n".join(_CRITERIA).format(theme=name.lower())


def seeds(count: int, start: int = 0) -> Iterator[MovieSeed]:
    """Movies for a stand-in Radarr, numbered from `start`."""
    for number in range(start, start + count):
        movie = _movie(number)
        yield MovieSeed(
            title=movie.title,
            year=movie.year,
            tmdb_id=number_of(movie.key),
            imdb_id=movie.imdb_id,
            overview=movie.plot,
            genres=movie.genres,
            keywords=movie.keywords,
            directors=movie.credits.directors,
            cast=movie.credits.actors,
        )


def movies(count: int) -> Iterator[Movie]:
    """The same movies as the program's own type."""
    return map(_movie, range(count))


def show_seeds(count: int, start: int = 0) -> Iterator[ShowSeed]:
    """Shows for a stand-in Sonarr, numbered from `start`."""
    for number in range(start, start + count):
        show = _show(number)
        yield ShowSeed(
            title=show.title,
            year=show.year,
            tvdb_id=number_of(show.key),
            imdb_id=show.imdb_id,
            overview=show.plot,
            network=show.network,
            original_language=show.language,
            genres=show.genres,
            certification=show.certification,
            runtime=show.runtime,
            seasons=show.seasons,
            status="ended" if show.is_over else "continuing",
        )


def shows(count: int) -> Iterator[Show]:
    """The same shows as the program's own type."""
    return map(_show, range(count))


def _show(number: int) -> Show:
    return Show(
        arr_id=ArrId(number + 1),
        key=show_key(FIRST_TVDB_ID + number),
        imdb_id=f"tt{FIRST_TVDB_ID + number:07}",
        title=_title(number),
        year=1960 + _dice(number, "year") % 65,
        plot=_plot(number),
        genres=_some(_GENRES, number, "genre", 1 + _dice(number, "genres") % 3),
        network=_one(_NETWORKS, number, "network"),
        language=_one(_LANGUAGES, number, "language"),
        certification=_one(("TV-PG", "TV-14", "TV-MA"), number, "certification"),
        runtime=_one((25, 45, 60), number, "runtime"),
        seasons=1 + _dice(number, "seasons") % 9,
        status=_one(_STATUSES, number, "status"),
    )


def _movie(number: int) -> Movie:
    return Movie(
        arr_id=ArrId(number + 1),
        key=movie_key(FIRST_TMDB_ID + number),
        imdb_id=f"tt{FIRST_TMDB_ID + number:07}",
        title=_title(number),
        year=1930 + _dice(number, "year") % 95,
        plot=_plot(number),
        genres=_some(_GENRES, number, "genre", 1 + _dice(number, "genres") % 3),
        keywords=_some(_KEYWORDS, number, "keyword", 4 + _dice(number, "keywords") % 8),
        credits=Credits((_person(number, "director"),), tuple(_person(number, f"actor {n}") for n in range(_ACTORS))),
    )


def _title(number: int) -> str:
    """A title that is unique to the number."""
    rest, adjective = divmod(number * 7, len(_ADJECTIVES))
    title = f"The {_ADJECTIVES[(adjective + rest) % len(_ADJECTIVES)]} {_NOUNS[rest % len(_NOUNS)]}"
    round_, place = divmod(number // 30, len(_PLACES) + 1)
    if place:
        title += f" of {_PLACES[place - 1]}"
    return f"{title} {round_ + 1}" if round_ else title


def _plot(number: int) -> str:
    length = _SHORTEST_PLOT + _dice(number, "length") % (_LONGEST_PLOT - _SHORTEST_PLOT - 80)
    plot = ""
    turn = 0
    while len(plot) < length:
        who = _one(_WHO, number, f"who {turn}")
        plot += f"{who[0].upper()}{who[1:]} {_one(_DOES, number, f'does {turn}')}. {_one(_AND_THEN, number, turn)} "
        turn += 1
    return plot[:_LONGEST_PLOT].strip()


def _person(number: int, role: str) -> str:
    return f"{_one(_FIRST_NAMES, number, role)} {_one(_LAST_NAMES, number, role, 'family')}"


def _some(words: Sequence[str], number: int, what: str, count: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_one(words, number, what, n) for n in range(count)))


def _one(words: Sequence[_Word], *seed: object) -> _Word:
    return words[_dice(*seed) % len(words)]


def _dice(*seed: object) -> int:
    """A pseudo-random number that depends on the seed only."""
    return crc32("/".join(map(str, seed)).encode())
