"""Find which libraries there are: the first Radarr and the first Sonarr, and further ones under names users choose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from kometa_ai.core.item import Kind

_KINDS: dict[str, Kind] = {"Radarr": "movie", "Sonarr": "show"}
_NAME = "[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*"
_FURTHER = re.compile(rf"\A({'|'.join(map(str.upper, _KINDS))})_({_NAME})_(?:URL|API_KEY)(?:_FILE)?")


@dataclass(frozen=True, slots=True)
class Place:
    """A library by its variables. `called` is the name that the user gave a further one, and empty for the first."""

    service: str
    called: str = ""

    @property
    def kind(self) -> Kind:
        """What it holds."""
        return _KINDS[self.service]

    @property
    def name(self) -> str:
        """Its name in the state and in blocks: `radarr`, `radarr-4k`."""
        return "-".join([self.service, *self.called.split("_")] if self.called else [self.service]).lower()

    @property
    def title(self) -> str:
        """Its name in messages: `Radarr`, `Radarr 4K`."""
        return " ".join([self.service, *self.called.split("_")]).strip()

    @property
    def url_setting(self) -> str:
        """The variable that holds its address."""
        return f"{self._prefix}_URL"

    @property
    def key_setting(self) -> str:
        """The variable that holds its key."""
        return f"{self._prefix}_API_KEY"

    @property
    def settings(self) -> tuple[str, str]:
        """Both variables. One without the other names no library."""
        return self.url_setting, self.key_setting

    @property
    def _prefix(self) -> str:
        return "_".join(filter(None, (self.service.upper(), self.called)))


@dataclass(frozen=True, slots=True)
class LibrarySettings:
    """A library that can be connected to."""

    name: str
    kind: Kind
    service: str
    title: str
    url: str
    api_key: SecretStr
    url_setting: str
    key_setting: str

    @classmethod
    def at(cls, place: Place, url: str, api_key: SecretStr) -> LibrarySettings:
        """The library of these variables."""
        return cls(
            name=place.name,
            kind=place.kind,
            service=place.service,
            title=place.title,
            url=url,
            api_key=api_key,
            url_setting=place.url_setting,
            key_setting=place.key_setting,
        )


FIRST_RADARR, FIRST_SONARR = Place("Radarr"), Place("Sonarr")


def places_in(names: Iterable[str]) -> tuple[Place, ...]:
    """The libraries that variables of these names are about, the first of each service always, in their order.

    Facts about an item come from the first library that has it: the order must not depend on the environment's.
    """
    services = {service.upper(): service for service in _KINDS}
    found = {Place(services[match[1]], match[2]) for name in names if (match := _FURTHER.fullmatch(name))}
    further = sorted(found, key=lambda place: (place.name, place.called))
    return tuple(
        place
        for first in (FIRST_RADARR, FIRST_SONARR)
        for place in (first, *(each for each in further if each.service == first.service))
    )
