"""Make states, decisions and batches for tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kometa_ai.core.changes import TagChange
from kometa_ai.core.decision import Decision, Remembered
from kometa_ai.core.item import movie_key, number_of
from kometa_ai.core.movie import Credits
from kometa_ai.core.naming import Label, Slug
from kometa_ai.core.report import Spending, Tokens
from kometa_ai.state import schema

if TYPE_CHECKING:
    from kometa_ai.state.store import Store

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
NOIR = Slug("noir")


def decision(confidence: float = 0.95, **changes: Any) -> Decision:
    """A decision made at NOW."""
    fields: dict[str, Any] = {
        "tag": "KAI-noir",
        "include": confidence >= 0.5,
        "confidence": confidence,
        "timestamp": NOW,
        "member": confidence >= 0.7,
        "threshold": 0.7,
        "metadata_hash": "data",
        "prompt_hash": "prompt",
        "model": "claude-sonnet-5-5",
        "reasoning": "So it is.",
        **changes,
    }
    return Decision(**fields)


def numbers(store: Store) -> list[int]:
    """The TMDb ids of the movies that a state remembers, in order."""
    return sorted(map(number_of, store.memory))


def judged(tmdb_id: int, slug: str = "noir", confidence: float = 0.95, **changes: Any) -> schema.Judged:
    """A verdict that has arrived."""
    return schema.Judged(key=movie_key(tmdb_id), slug=Slug(slug), decision=decision(confidence, **changes))


def described(tmdb_id: int, title: str = "Heat") -> schema.Described:
    """What a movie is made of."""
    movie = Remembered(
        title=title, year=1995, metadata_hash="data", facts_hash="facts", credits=Credits(("Mann",), ("Pacino",))
    )
    return schema.Described(key=movie_key(tmdb_id), movie=movie)


def tagged(number: int) -> schema.Tagged:
    """A tag change; the number is the movie's."""
    return schema.Tagged(
        change=TagChange(
            at=NOW,
            run_id="run",
            key=movie_key(number),
            title=f"Movie {number}",
            year=1995,
            collection=NOIR,
            tag=Label("kai-noir"),
            operation="add",
        )
    )


def failed(what: str = "It failed.", source: str = "Radarr") -> schema.ErrorMet:
    """An error to be counted."""
    return schema.ErrorMet(error=schema.ErrorSeen(at=NOW, run_id="run", what=what, source=source))


def ended(
    run_id: str, exit_code: int = 0, *, dry_run: bool = False, at: datetime = NOW, **only: Any
) -> schema.RunEnded:
    """The end of a run."""
    return schema.RunEnded(
        run=schema.RunSummary(
            run_id=run_id, started=NOW, finished=at, outcome="ok", exit_code=exit_code, dry_run=dry_run, **only
        )
    )


def spent(month: str, requests: int) -> schema.MoneySpent:
    """What a month has cost by now."""
    return schema.MoneySpent(spending=Spending(month=month, tokens=Tokens(requests=requests), cost_usd=requests / 10))
