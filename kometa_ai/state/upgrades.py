"""Tell an operator who comes from an older version what is different: in the log once, and on docs/changes.md.

The process that brings the state to the present format tells it. Until that is done a file beside the state remembers
that it is due, so that a kill in between leaves it to the process that loads the state next.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kometa_ai.__version__ import __version__
from kometa_ai.state import files

if TYPE_CHECKING:
    from pathlib import Path

DUE = "upgrade_untold"
"""The file in STATE_DIR that holds the version of before, from before the state is brought to the present format."""

_LONGEST = 40
_log = structlog.get_logger()


class Difference(NamedTuple):
    """Something that is different now, and what there is to do about it: to have it as before, say."""

    what: str
    remedy: str


SINCE_FORMAT_1: Sequence[Difference] = (
    Difference(
        "The daemon has a page at its address, behind a sign-in. The password is the key of the API. It lists movies "
        "once a run of this version has read Radarr.",
        "`WEB_PASSWORD` sets another password; `WEB_LOGIN=off` serves no page, only the API.",
    ),
    Difference(
        "A tag that a person puts on or takes off in Radarr stays so, as a pin, from the second run on.",
        "`HAND_EDITS=correct` puts the tags right with the next run, as before.",
    ),
    Difference(
        "One request asks about up to 8 collections. What has been decided stays as it is.",
        "`COLLECTIONS_PER_REQUEST=1` asks about one, as before.",
    ),
    Difference(
        "A run that has handed its questions to Anthropic's batches ends, with the outcome `waiting` and exit code 1; "
        "another run goes on when they are answered.",
        "Scripts that take 1 for a failure look at `outcome`, too. `CLAUDE_BATCHES=off` hands nothing over.",
    ),
    Difference(
        "The figures `kometa_ai_claude_*` are called `kometa_ai_model_*`, `kometa_ai_radarr_calls_total` is "
        "`kometa_ai_library_calls_total`, and `kometa_ai_library_movies` is `kometa_ai_library_items`.",
        "Take `dashboard.json` and `alerts.yml` of the docs again, or change your own.",
    ),
    Difference(
        "The outcome `claude unusable` is `model unusable`, `radarr unusable` is `library unusable`; `claude` in "
        "`/health` and `/api/v1/status` is `model`; most log events `claude.*` are `model.*`.",
        "Change scripts, widgets and alerts that look for these words.",
    ),
    Difference(
        "`--check-config` exits with 1, not 0, where Radarr or Claude does not answer.",
        "Scripts that need the files alone to be right take 1 for good, and 2 for wrong.",
    ),
    Difference(
        "The image waits for settings that are missing or wrong, and says on its page which; it no longer ends with "
        "exit code 2.",
        "`/health` is 503 meanwhile. Outside of the image nothing has changed; `--wait` does the same there.",
    ),
    Difference(
        "The pins that `--undo` has made are in `STATE_DIR/choices.json` now.",
        "Back that file up with the state.",
    ),
    Difference(
        "The state has another format, which older versions refuse with exit code 5.",
        "To go back, take `kometa_state.json` from your backup; `kometa_state.json.bak1` is the one of before, until "
        "five more have been written.",
    ),
)


def note_due(folder: Path, older: str) -> None:
    """Remember that what is different since a version is to be told. Raise OSError."""
    files.replace(folder / DUE, older.encode(errors="replace"))


def tell_due(folder: Path) -> None:
    """Write to the log what is different since the noted version, if there is a note."""
    try:
        older = files.read(folder / DUE, files.SMALL).decode(errors="replace")[:_LONGEST]
    except OSError:
        return
    _log.info("upgrade.begun", before=older, now=__version__, read="docs/changes.md")
    for difference in SINCE_FORMAT_1:
        _log.info("upgrade.difference", what=difference.what, remedy=difference.remedy)
    # Only now: told twice is better than never.
    with suppress(OSError):
        (folder / DUE).unlink(missing_ok=True)
