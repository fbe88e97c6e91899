"""Define a fault in a file: the problem to report, and the facts from which a correction can be made."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kometa_ai.core.problem import Correction, Problem

Correct = Callable[[], Correction | None]
"""Computes a correction; None if it is unclear what the writer of the file meant."""


class Fault(msgspec.Struct, frozen=True):
    """`cause` is a struct of the module that found the fault; None if there is no correction."""

    problem: Problem
    cause: object = None


class Correctable(msgspec.Struct, frozen=True):
    """A cause of which nothing needs to be known but how to correct it."""

    correct: Correct
