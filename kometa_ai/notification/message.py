"""What every channel is given to send, and what it says became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem


Form = Literal["text", "markdown", "html"]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the forms a channel may want."""

    subject: str
    text: str
    html: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one receiver (`e-mail to ann@example.org`).

    Either `answer` is what the other side said when it took the message, or `problem` is why it did not.
    """

    to: str
    answer: str = ""
    problem: Problem | None = None
