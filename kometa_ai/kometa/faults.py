"""A fault in a file: the problem to report, and the facts from which a correction can be made."""

from __future__ import annotations

import msgspec

from kometa_ai.core.problem import Problem


class Fault(msgspec.Struct, frozen=True):
    """`cause` is a struct of the module that found the fault; None if there is no correction."""

    problem: Problem
    cause: object = None
