"""A finding about Kometa's files: the problem to report, and a correction that is made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa.checking.block_corrections import correction_of
from kometa_ai.kometa.faults import Fault

Correct = Callable[[], Correction | None]
"""Makes a correction; None where only the writer of the file knows what was meant."""


class Finding(msgspec.Struct, frozen=True):
    """A problem, a warning or a hint."""

    problem: Problem
    correct: Correct | None = None

    @classmethod
    def of(cls, fault: Fault) -> Finding:
        """A fault that the reader has found."""
        return cls(fault.problem, partial(correction_of, fault))

    def corrected(self) -> Problem:
        """The problem with its correction."""
        correction = self.correct() if self.correct else None
        return msgspec.structs.replace(self.problem, correction=correction) if correction else self.problem
