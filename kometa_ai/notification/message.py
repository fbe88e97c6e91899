"""The types that channels share: a message, the forms of a text, and a delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem


Form = Literal["text", "guarded", "markdown", "tags", "html"]
"""How a text is written.

    text       plain, for services that show it as it is
    guarded    plain, for services that read a markup of their own in it: no line begins like an item of a list
    markdown   CommonMark that shows every title as it is
    tags       plain with HTML's entities, for chats that know a few tags
    html       a whole page, as an e-mail has it
"""

Fate = Literal["taken", "waits", "refused", "unclear"]
"""What becomes of a message.

    taken      the other side has taken it
    waits      it has not, and may later: no connection, a busy server, a password that is wrong just now
    refused    it never will take this very message; another one it may
    unclear    it was handed over whole, and no answer came: it may arrive or not
"""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the forms a channel may want."""

    subject: str
    text: str
    html: str


TEST = Message(
    subject="Kometa-AI: test message",
    text="This is a test. Reports of Kometa-AI arrive here.\n",
    html="<!doctype html><html lang='en'><body><p>This is a test. Reports of Kometa-AI arrive here.</p></body></html>",
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one receiver (`e-mail to ann@example.org`).

    Either `answer` is what the other side said when it took the message, or `problem` is why that is not known.
    """

    to: str
    answer: str = ""
    problem: Problem | None = None
    fate: Fate = "taken"
