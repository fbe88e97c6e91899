"""Define a finding about Kometa's files: the problem, and a correction that is computed only on request."""

from __future__ import annotations

from functools import partial

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.kometa.checking.block_corrections import correction_of
from kometa_ai.kometa.faults import Correct, Fault


class Finding(msgspec.Struct, frozen=True):
    """A problem, a warning or a hint, and how to correct it."""

    problem: Problem
    correct: Correct | None = None

    @classmethod
    def of(cls, fault: Fault) -> Finding:
        """The finding for a fault of the reader."""
        return cls(fault.problem, partial(correction_of, fault))

    def corrected(self) -> Problem:
        """The problem with its correction."""
        correction = self.correct() if self.correct else None
        return msgspec.structs.replace(self.problem, correction=correction) if correction else self.problem
