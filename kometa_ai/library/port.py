"""Define what the program needs of a service that holds movies or shows: its contents, and a way to change tags.

Why: docs/decisions/0017-library-port.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, NewType, Protocol

import msgspec

from kometa_ai.core.item import ArrId, Kind
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.movie import Credits
from kometa_ai.core.naming import Label
from kometa_ai.core.picture import Form, Height
from kometa_ai.errors import CheckLibrary

if TYPE_CHECKING:
    from collections import Counter

    from kometa_ai.network.failures import Way

TRIES = 6
"""The first try of a call and five more, 1, 2, 4, 8 and 16 seconds apart."""

TagId = NewType("TagId", int)
"""A tag's row. Housekeeping deletes unused tags daily, and a tag made again has another id: never keep one."""

Operation = Literal["add", "remove"]
Ids = tuple[ArrId, ...]


class LibraryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A library that can be used. `warning` is not empty when something about it looks wrong all the same."""

    version: str = ""
    warning: str = ""


class LeftOut(msgspec.Struct, frozen=True):
    """An item that takes no part, and why. `arr_id` is 0 where it has none."""

    arr_id: ArrId
    title: str
    why: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a library holds at one moment: items in order of their catalogue ids, and the tags there are.

    `tags` maps lower-case labels to their ids: only a database edited by hand has several ids for one label; the one to
    write comes first. `odd_tags` describes tags that could not be read; `nameless` items have tags, none of which is
    among `tags`. Whether an empty or a much smaller library is believed, is not decided here.
    """

    items: tuple[AnyItem, ...] = ()
    tags: Mapping[Label, tuple[TagId, ...]] = {}
    left_out: tuple[LeftOut, ...] = ()
    odd_tags: tuple[str, ...] = ()
    nameless: int = 0


class EditResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each item of an edit.

    `done`: the service's answer shows the tags as asked for. `vanished`: its editor knows the item no more, or its
    quality profile is gone. `contested`: saved, but one of the service's auto-tagging rules turned it round at once.
    `failed`: not saved. `unclear`: sent, but no proof whether it was saved. `problems` says why, for people.
    """

    done: Ids = ()
    vanished: Ids = ()
    contested: Ids = ()
    failed: Ids = ()
    unclear: Ids = ()
    problems: tuple[str, ...] = ()


class Cover(NamedTuple):
    """A picture of an item, as the library has it."""

    body: bytes
    form: Form


class TagWriter(Protocol):
    """A library whose tags can be changed. One write at a time."""

    async def has_tag(self, tag: TagId, label: str) -> bool:
        """Whether a tag still has this id. False, too, where that cannot be told: to create it answers with its id."""
        ...

    async def create_tag(self, label: str) -> TagId:
        """The id of a tag that was not there a moment ago. The caller asks for it right before its first use.

        Raise TagUnavailable where the service does not create it, or CheckLibrary.
        """
        ...

    async def edit_tags(
        self, item_ids: Sequence[ArrId], tag_ids: Sequence[TagId], *, operation: Operation
    ) -> EditResult:
        """Add those tags to those items, or remove them; the result accounts for every item.

        Raise EditStopped (a CheckLibrary), which carries what was done until then.
        """
        ...


class CreditsSource(Protocol):
    """A library that tells who made a movie and who plays in it."""

    async def of(self, arr_id: ArrId) -> Credits:
        """Directors and actors of one movie. Raise CreditsUnavailable where they cannot be read."""
        ...


class Library(TagWriter, Protocol):
    """One instance of a service. What cannot be done because of the service as a whole raises CheckLibrary."""

    @property
    def name(self) -> str:
        """Its name in the state and in `libraries:` of a block: `radarr`, `radarr-4k`, `sonarr`."""
        ...

    @property
    def kind(self) -> Kind:
        """What it holds."""
        ...

    @property
    def service(self) -> str:
        """The service's own name, as users know it: `Radarr`."""
        ...

    @property
    def title(self) -> str:
        """The service's name in messages, which tells instances apart: `Radarr`, `Radarr 4K`."""
        ...

    @property
    def url_setting(self) -> str:
        """The setting that holds its address."""
        ...

    @property
    def address(self) -> str:
        """Its address with the URL base and without credentials, fit for messages."""
        ...

    @property
    def way(self) -> Way:
        """The way to it: its address, and the proxy in between."""
        ...

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often each kind of call had each outcome: an HTTP status, `timeout` or `lost`."""
        ...

    async def check(self, *, tries: int = TRIES) -> LibraryStatus:
        """Make sure that it is the right service and accepts the key. Raise LibrarySilent where it has not answered."""
        ...

    async def diagnose(self, answer: str) -> str:
        """Why it cannot be used, from its name to its HTTP `answer`, in plain words."""
        ...

    async def contents(self, *, tries: int = TRIES) -> Contents:
        """Every item and every tag, or CheckLibrary: half a list is no list."""
        ...

    async def cover(
        self, arr_id: ArrId, height: Height, *, since: datetime | None = None
    ) -> Cover | Literal["none", "unchanged"]:
        """The poster of an item: in about that height, or whole where the service has it in no other. One try.

        "unchanged" where it was not written after `since`. Raise CoverUnavailable where this one picture cannot be had,
        and CheckLibrary where none can.
        """
        ...

    @property
    def credits(self) -> CreditsSource | None:
        """Where directors and actors are to be had; None where the service tells of none."""
        ...

    async def auto_tagging(self) -> Mapping[Label, tuple[str, ...]]:
        """The labels that the service's own rules put on and take off, with the names of these rules."""
        ...

    async def labels(self) -> frozenset[Label]:
        """Every tag there is."""
        ...


class LibrarySilent(CheckLibrary):
    """The service itself has not answered: it is down, or cannot be reached from here, or just now."""


class CreditsUnavailable(Exception):
    """The credits of one movie could not be read; its classification goes on without them."""


class CoverUnavailable(Exception):
    """The service answers, but this one picture is too large, or none that is taken, or cannot be read there."""


class TagUnavailable(Exception):
    """The service answers, but neither has this tag nor creates it; other tags may do."""


class EditStopped(CheckLibrary):
    """The service became unusable between two writes; `result` is what became of every item until then."""

    def __init__(self, message: str, remedy: str, result: EditResult) -> None:
        super().__init__(message, remedy)
        self.result = result
