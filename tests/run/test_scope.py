"""Which collections a run is of, by what the user names."""

from __future__ import annotations

import pytest

from kometa_ai.errors import FixUsage
from kometa_ai.run.scope import choose
from tests.kometa.support import read
from tests.kometa.test_kinds import BOTH, MOVIES, SHOWS

FOLDER = read({"m.yml": MOVIES, "tv.yml": SHOWS}, BOTH)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("Noir", ["noir", "show:noir"]),
        ("NOIR", ["noir", "show:noir"]),
        ("kai-noir", ["noir", "show:noir"]),
        ("KAI-Noir", ["noir", "show:noir"]),
        ("show:noir", ["show:noir"]),
        ("Show:Noir", ["show:noir"]),
    ],
)
def test_a_name_that_both_kinds_have(name: str, keys: list[str]) -> None:
    """It names both collections; the key of the one for shows names that one alone."""
    assert [each.key for each in choose(FOLDER, [name])] == keys


def test_a_collection_of_a_kind_without_a_library() -> None:
    """It cannot be run, and that is why."""
    folder = read({"tv.yml": SHOWS})

    with pytest.raises(FixUsage, match="is about shows, and no library of shows is set up"):
        choose(folder, ["Noir"])
