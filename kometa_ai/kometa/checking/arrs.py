"""Name what Kometa calls the services of both kinds: the section, the taglist, and what reads or writes tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.item import KINDS

if TYPE_CHECKING:
    from kometa_ai.core.item import Kind


class Arr(NamedTuple):
    """The service of one kind. `section` is its name in Kometa's files, and the start of its attributes."""

    kind: Kind
    name: str
    section: str

    @property
    def taglist(self) -> str:
        """The attribute that fills a collection from a tag."""
        return f"{self.section}_taglist"

    @property
    def items(self) -> str:
        """The things that it holds."""
        return f"{self.kind}s"

    @property
    def url_setting(self) -> str:
        """Our setting with its address."""
        return f"{self.name.upper()}_URL"

    @property
    def key_setting(self) -> str:
        """Our setting with its key."""
        return f"{self.name.upper()}_API_KEY"

    @property
    def adds(self) -> str:
        """The attribute that tags the items of a collection."""
        return f"item_{self.section}_tag"

    @property
    def wipes(self) -> str:
        """The attribute that takes all other tags off the items of a collection."""
        return f"{self.adds}.sync"

    @property
    def tags_new(self) -> str:
        """The attribute that tags what Kometa adds to the service."""
        return f"{self.section}_tag"

    @property
    def deletes(self) -> str:
        """The operation that deletes the items with a tag from the service."""
        return f"{self.section}_remove_by_tag"


RADARR = Arr("movie", "Radarr", "radarr")
SONARR = Arr("show", "Sonarr", "sonarr")
_BY_KIND = {arr.kind: arr for arr in (RADARR, SONARR)}
ARRS = tuple(_BY_KIND[kind] for kind in KINDS)


def arr_of(kind: Kind) -> Arr:
    """The service of this kind."""
    return _BY_KIND[kind]


def other_than(kind: Kind) -> Arr:
    """The service of the other kind."""
    return SONARR if kind == "movie" else RADARR
