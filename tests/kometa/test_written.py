"""A block as it stands in the files: its own lines and no other, with their numbers, and no secret."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kometa_ai.kometa.checking.examination import examine
from kometa_ai.kometa.checking.written import BlockLines, WrittenLine, blocks_of

from .support import block, collection

if TYPE_CHECKING:
    from collections.abc import Mapping


def _blocks(files: Mapping[str, str], name: str = "Heist") -> tuple[BlockLines, ...]:
    with tempfile.TemporaryDirectory() as folder:
        for source, text in files.items():
            (Path(folder) / source).write_text(text, encoding="utf-8")
        readings = examine(Path(folder)).readings
    return blocks_of(readings.values(), name, "movie", lambda text: text.replace("S3cret", "***"))


def test_its_lines_and_its_name() -> None:
    """From marker to marker, with the numbers of the file, and the line of the name that it is bound to."""
    text = "collections:\n" + collection("Other") + "\n" + collection("Heist", "enabled: true", "prompt: Robbers")

    (found,) = _blocks({"movies.yml": text})

    assert [line.number for line in found.lines] == [9, 10, 11, 12]
    assert [line.text for line in found.lines] == text.splitlines()[8:12]
    assert (found.source, found.line, found.name) == ("movies.yml", 9, "Heist")
    assert found.head == WrittenLine(13, "  Heist:")
    assert found.keys == {"enabled": 10, "prompt": 11}


def test_a_block_in_several_files() -> None:
    """Each file that holds it is shown."""
    text = "collections:\n" + collection("Heist")

    assert [found.source for found in _blocks({"a.yml": text, "b.yml": text, "c.yml": "collections:\n"})] == [
        "a.yml",
        "b.yml",
    ]


@pytest.mark.parametrize(
    ("head", "name", "shown"),
    [
        ("Heist:", "Heist", "  Heist:"),
        ('"Heist: it": {webhook: S3cretHook}', "Heist: it", '  "Heist: it": …'),
        ("'It''s a heist':  # S3cret comment", "It's a heist", "  'It''s a heist': …"),
        ("Heist: {token: S3cretToken}", "Heist", "  Heist: …"),
        ("Heist:it:", "Heist:it", "  Heist:it:"),
        ("? Heist\n  : {token: S3cretToken}", "Heist", "Heist:"),
    ],
)
def test_of_the_name_no_more_than_the_name(head: str, name: str, shown: str) -> None:
    """What stands behind the name may hold a secret."""
    (found,) = _blocks({"movies.yml": f"collections:\n{block()}\n  {head}\n"}, name)

    assert found.head.text == shown


def test_neighbouring_lines_are_not_shown() -> None:
    """Comments between the block and its name are none of the block's lines."""
    text = f"collections:\n  # before: S3cretBefore\n{block()}\n  # after: S3cretAfter\n  Heist:\n    plex_all: true\n"

    (found,) = _blocks({"movies.yml": text})

    assert found.head.number == found.lines[-1].number + 2
    assert "S3cret" not in repr(found)
    assert "***" not in repr(found)


def test_secrets_in_its_lines() -> None:
    """What a redactor knows is hidden, and what looks like a secret by its name."""
    text = f"collections:\n{block('enabled: true', 'prompt: Heists by S3cret', '# token: ABCDEF')}\n  Heist:\n"

    (found,) = _blocks({"movies.yml": text})

    assert found.lines[2].text == "  # prompt: Heists by ***"
    assert "ABCDEF" not in repr(found)


def test_a_configuration_shows_blocks_that_are_blocks() -> None:
    """A configuration holds passwords: a block in it is shown if all its keys are those of blocks, else only marked."""
    config = "plex:\n  url: http://plex\ncollections:\n"
    good = config + collection("Heist", "enabled: true", "prompt: Robbers")
    bad = config + collection("Heist", "enabled: true", "home: hunter2", "  - hunter3")
    broken = config + collection("Heist", "enabled: [hunter2")

    assert "prompt: Robbers" in repr(_blocks({"config.yml": good}))
    for text in (bad, broken):
        (found,) = _blocks({"config.yml": text})
        assert "hunter" not in repr(found)
        assert "=== KOMETA-AI ===" in found.lines[0].text
