"""Define the JSON of the snapshot and of the journal's lines."""

from __future__ import annotations

from typing import Literal

import msgspec

from kometa_ai.core.batches import OpenBatch
from kometa_ai.core.changes import TagChange
from kometa_ai.core.choice import Pin
from kometa_ai.core.decision import Decision, Remembered, Unjudged
from kometa_ai.core.item import ItemKey
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.options import Options
from kometa_ai.core.report import Kind, Spending, name_outcome

FORMAT_VERSION = 2
CHOICES = "choices.json"
"""The file beside the state that holds people's choices."""
CHANGES_KEPT = 100
PROMPTS_KEPT = 20
"""Versions of a collection's prompt that are kept."""
ERRORS_KEPT = 20
RUNS_KEPT = 100

HELD_BACK = "held back"
"""A collection's status while additions or removals wait for a person's decision."""


# Text that is no UTF-8, and what is nested too deep, come as Python's own errors.
DAMAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading a damaged file raises."""


class CollectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a collection has come.

    `block_hash` is that of the block as last carried out; `block_change_open` stays true from an edit of the block
    until a run has carried it out completely, so that the safety brake does not stop an edit half-way, and
    `first_build_open` from the first member on likewise. `holds` says which changes the brake held back. `former_tags`
    are those that the collection had before and that movies still have.
    """

    name: str
    tag: str
    former_tags: tuple[str, ...] = ()
    source: str = ""
    status: str
    members: int = 0
    pending: int = 0
    last_run: Moment | None = None
    last_processed_movie: int | None = None
    block_hash: str = ""
    block_change_open: bool = False
    first_build_open: bool = False
    holds: tuple[Literal["add", "remove"], ...] = ()

    def is_held_back(self, operation: Literal["add", "remove"]) -> bool:
        """Whether the safety brake held such changes back when it was last carried out."""
        if self.status == HELD_BACK and not self.holds:  # written before additions had a brake
            return operation == "remove"
        return operation in self.holds

    def is_edited(self, block_hash: str) -> bool:
        """Whether the block was edited since it was last carried out. One never carried out was not edited."""
        return self.block_hash != "" and (self.block_change_open or self.block_hash != block_hash)


class PromptVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A collection's prompt as a run has first read it. A long text `is_cut`."""

    prompt_hash: str
    text: str
    at: Moment
    is_cut: bool = False


class LibrarySeen(msgspec.Struct, frozen=True, kw_only=True):
    """The library as last believed: how many movies, how many of them with a tag, and a hash over their ids.

    `left_by` is the run that has written the library's file last (`state/libraries.py`).
    """

    count: int
    hash: str
    at: Moment
    tagged: int = 0
    left_by: str = ""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run; `only_movies` and `only_collections` say what it was about where that was not everything."""

    run_id: str
    started: Moment
    finished: Moment
    outcome: str
    exit_code: int
    kind: Kind = "run"
    undoes: str = ""
    dry_run: bool = False
    only_movies: int | None = None
    only_collections: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    held_back: int = 0
    asked: int = 0
    pending: int = 0
    problems: int = 0
    cost_usd: float = 0.0
    collection_cost_usd: dict[str, float] = {}

    def __post_init__(self) -> None:
        name_outcome(self, self.outcome)

    @property
    def is_of_everything(self) -> bool:
        """Whether it was about all movies and all collections, and wrote what it found."""
        return self.kind == "run" and not self.dry_run and self.only_movies is None and not self.only_collections

    @property
    def tells_everything(self) -> bool:
        """Whether its report was sent, and was about all movies and all collections."""
        return self.is_of_everything and self.outcome != "waiting"

    @property
    def is_success_of_everything(self) -> bool:
        """Whether it has done everything there was to do, for all movies and all collections."""
        return self.is_of_everything and self.exit_code == 0


class ErrorSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One error, as it was reported."""

    at: Moment
    run_id: str
    what: str
    source: str = ""
    collection: str = ""


class Errors(msgspec.Struct, kw_only=True):
    """How often what failed, and the last failures."""

    counters: dict[str, int] = {}
    last: list[ErrorSeen] = []


class Snapshot(msgspec.Struct, kw_only=True):
    """The whole state, in the order in which a person wants to read it.

    `pins` are those of before there was choices.json. `prompts` are the versions of each collection's prompt, the
    newest last: a program of before there were any passes them over, and writes a snapshot without them.

    A file that does not say its `state_format_version` is not ours.
    """

    version: str
    state_format_version: int
    last_update: Moment | None = None
    last_successful_run: Moment | None = None
    journal_entry: int = 0
    libraries: dict[str, LibrarySeen] = {}
    collections: dict[CollectionKey, CollectionStatus] = {}
    prompts: dict[CollectionKey, list[PromptVersion]] = {}
    errors: Errors = msgspec.field(default_factory=Errors)
    pins: list[Pin] = []
    runs: list[RunSummary] = []
    spending: dict[str, Spending] = {}
    tag_changes: list[TagChange] = []
    batches: list[OpenBatch] = []
    waiting: Options | msgspec.UnsetType = msgspec.UNSET
    decisions: dict[ItemKey, Remembered] = {}


# One class for each kind of journal line. Reading lines twice, in their order, must do no harm. Where a line names a
# collection by its key, the field is called `slug` on the disk: that is what the key of one of movies is.


class Judged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="judged"):
    """A decision about one movie and one collection."""

    key: ItemKey
    slug: Slug
    decision: Decision


class LeftUnjudged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="unjudged"):
    """A question that has brought no verdict, and in how many runs by now."""

    key: ItemKey
    slug: Slug
    unjudged: Unjudged


class Described(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="described"):
    """What a movie is made of now; its decisions are not touched. Fields are those of Remembered."""

    key: ItemKey
    movie: Remembered


class StatusChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="status"):
    """How far a collection has come."""

    collection: CollectionKey = msgspec.field(name="slug")
    status: CollectionStatus


class CollectionForgotten(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="forgotten"):
    """A collection that is an orphan no more, because none of its tags is left."""

    collection: CollectionKey = msgspec.field(name="slug")


class PromptSeen(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="prompt"):
    """A prompt that is not the latest known one of its collection.

    The format stays 2 all the same: a program of before there was this line leaves it out, and tells of a damaged line
    where it finds one, after a run that was killed. Nothing but this history depends on it.
    """

    collection: CollectionKey = msgspec.field(name="slug")
    prompt: PromptVersion


class Tagged(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="tagged"):
    """A tag change that Radarr has confirmed."""

    change: TagChange


class LibraryRead(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="library"):
    """A library that was believed, by its name."""

    name: str
    library: LibrarySeen


class ErrorMet(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="error"):
    """An error to be counted."""

    error: ErrorSeen


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="run"):
    """The end of a run."""

    run: RunSummary


class MoneySpent(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="spent"):
    """What a month has cost by now: the whole of it, so that a line that is read twice counts once."""

    spending: Spending


class Pinned(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="pinned"):
    """A pin, as it was kept before there was choices.json. No such line is written any more."""

    pin: Pin


class Released(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="released"):
    """The end of such a pin."""

    key: ItemKey
    slug: Slug


class BatchPlanned(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="batch planned"):
    """A batch that is about to be handed over. From here on it may exist, whatever becomes of us."""

    batch: OpenBatch


class BatchNamed(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="batch named"):
    """The id of a planned batch; or none again, and which id was another program's."""

    key: str
    id: str
    foreign: tuple[str, ...] = ()


class BatchTaken(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="batch taken"):
    """Collections whose answers from a batch have been recorded."""

    key: str
    collections: tuple[CollectionKey, ...] = msgspec.field(name="slugs")


class BatchDropped(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="batch dropped"):
    """A batch that was never taken, or whose answers are no longer to be had."""

    key: str


class RunWaits(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="waits"):
    """A run has ended and waits for its batch: the options of the one that goes on with it; none where none waits."""

    options: Options | None


BatchEntry = BatchPlanned | BatchNamed | BatchTaken | BatchDropped

Entry = (
    Judged
    | LeftUnjudged
    | Described
    | StatusChanged
    | CollectionForgotten
    | PromptSeen
    | Tagged
    | LibraryRead
    | ErrorMet
    | RunEnded
    | MoneySpent
    | Pinned
    | Released
    | BatchPlanned
    | BatchNamed
    | BatchTaken
    | BatchDropped
    | RunWaits
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal: its number, which only grows, its format, and what it says.

    A line says its format, since lines of two formats may stand in one file; those of format 1 do not.
    """

    n: int
    format: int = 1
    data: Entry
