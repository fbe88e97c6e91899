"""Note that one run is asked to stop, and why, and the step it is in (`Interruption`); `jobs/stopping.py` sets it."""

from __future__ import annotations

from kometa_ai.asking.ending import Course, Interrupted, TimedOut
from kometa_ai.run.watching import Observer, Step


class Interruption:
    """A request to stop: in-flight requests are finished, no new ones are started, no tags are written.

    `why` is the signal, or who asked for it: "the API". `is_cut` says that the run was cancelled after its time-out,
    `is_left_behind` that its thread hangs and another run has taken over. `step` is the step that the run is in,
    `course` that of its asking.
    """

    def __init__(self) -> None:
        self.course = Course()
        self.why = ""
        self.is_cut = False
        self.is_left_behind = False
        self.step = ""

    @property
    def has_begun(self) -> bool:
        """Whether the run has come as far as asking: before that it has nothing to carry out."""
        return self.course.has_begun

    @property
    def is_writing(self) -> bool:
        """Whether the run writes tags."""
        return self.step == Step.WRITING

    @property
    def is_reporting(self) -> bool:
        """Whether the run itself is over, and its report is being made and sent."""
        return self.step == Step.REPORTING

    @property
    def is_busy(self) -> bool:
        """Whether a paid request or a change to Radarr is in flight."""
        return self.is_writing or bool(self.course.in_flight)

    def time_out(self) -> None:
        """End the asking, because its time is over: what is decided is carried out, the rest waits for the next run."""
        self.course.end(TimedOut())

    def request(self, why: str) -> None:
        """Ask the run to end."""
        self.why = self.why or why
        self.course.end(Interrupted(why))


class Steps:
    """Notes the step that a run is in before its observer is told."""

    def __init__(self, observer: Observer, interruption: Interruption) -> None:
        self._observer = observer
        self._interruption = interruption
        self.total = observer.total
        self.advance = observer.advance
        self.cost = observer.cost

    def step(self, name: str) -> None:
        """See Observer."""
        self._interruption.step = str(name)
        self._observer.step(str(name))
