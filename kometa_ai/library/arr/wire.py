"""Define the JSON that Radarr and Sonarr have in common, as far as we read it, with msgspec.

The services leave out whatever is null (their serializer is told so) and `id` when it is 0, hence every field here may
be absent. The decoder skips what is not named here without building it, which keeps 70 MB of movies cheap.
"""

from __future__ import annotations

import msgspec


class WireTag(msgspec.Struct, gc=False):
    """A row of `GET /tag`, and the answer to its `POST`."""

    id: int | None = None
    label: str | None = None


class WireStatus(msgspec.Struct, rename="camel"):
    """`GET /system/status`."""

    app_name: str | None = None
    version: str | None = None
    url_base: str | None = None


class WireRule(msgspec.Struct, gc=False):
    """A row of `GET /autotagging`: a rule, and the tags that it puts on and takes off."""

    name: str | None = None
    tags: list[int] | None = None


class EditedRow(msgspec.Struct, gc=False):
    """An item in the editor's answer, its auto-tagging rules already applied."""

    id: int | None = None
    tags: list[int] | None = None
