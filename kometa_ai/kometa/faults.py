"""A fault in a file: the problem that everyone is told, and the facts from which the checker makes a correction."""

from __future__ import annotations

import msgspec

from kometa_ai.core.problem import Problem


class Fault(msgspec.Struct, frozen=True):
    """`cause` is a struct of the module that found the fault; None where no correction can be made."""

    problem: Problem
    cause: object = None
