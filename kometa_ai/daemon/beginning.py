"""Let a caller wait until a job in another thread has begun, that is, until it holds the lock of the state folder."""

from __future__ import annotations

import asyncio

from kometa_ai.jobs.aside import DoesNotAnswer

_PATIENCE = 30.0


class Beginning:
    """Whether a job has begun, has failed before, or does neither; made in the event loop of its caller."""

    def __init__(self) -> None:
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # No caller may wait any more: an error that none asks for is no defect.
        self._begun.add_done_callback(lambda done: done.cancelled() or done.exception())

    @property
    def is_over(self) -> bool:
        """Whether the job has begun, or will not."""
        return self._begun.done()

    def come(self) -> None:
        """Note that the job has begun."""
        if not self._begun.done():
            self._begun.set_result(None)

    def fail(self, error: Exception) -> None:
        """Note why the job will not begin."""
        if not self._begun.done():
            self._begun.set_exception(error)

    def give_up(self) -> None:
        """Note that there is no job any more, whether it has begun or not."""
        self._begun.cancel()

    async def wait(self, what: str) -> None:
        """Wait until `what` has begun. Raise what kept it from that, or DoesNotAnswer if nothing is heard of it."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(self._begun)
        except TimeoutError as error:
            raise DoesNotAnswer(
                f"{what} has not begun yet: STATE_DIR does not answer.",
                "Look whether its disk or network share is there. It begins when it is.",
            ) from error
