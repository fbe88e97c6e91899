"""List the libraries that the program is made of, with their versions and licences, from their metadata."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import NamedTuple

OURS = "kometa-ai"
_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]*")
_CLASSIFIER = "License :: OSI Approved :: "
_LONGEST = 60


class Library(NamedTuple):
    """A library by its name."""

    name: str
    version: str
    licence: str


@cache
def libraries() -> tuple[Library, ...]:
    """Every library that is needed to run, by name; none where the program was not installed."""
    found: dict[str, Library] = {}
    todo = [OURS]
    while todo:
        name = _normal(todo.pop())
        if name in found:
            continue
        try:
            known = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = Library(known.name, known.version, licence_of(known))
        # What is wanted for an extra only, such as our own tools, is no part of the program.
        todo += [match[0] for text in known.requires or () if "extra ==" not in text and (match := _NAME.match(text))]
    return tuple(library for name, library in sorted(found.items()) if name != OURS)


def licence_of(known: Distribution) -> str:
    """The licence as a library's metadata name it, in a few words."""
    expression = "".join(known.metadata.get_all("License-Expression") or ())
    classified = ", ".join(
        entry.removeprefix(_CLASSIFIER)
        for entry in known.metadata.get_all("Classifier") or ()
        if entry.startswith(_CLASSIFIER)
    )
    written = "".join(known.metadata.get_all("License") or ()).strip()
    is_short = len(written) <= _LONGEST and "\n" not in written
    return expression or classified or (written if is_short else "") or "see its page"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
