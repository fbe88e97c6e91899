"""Define what channels share: a message, the forms of a text, a delivery and its fate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem


Form = Literal["text", "guarded", "markdown", "tags", "html"]
"""How a text is written.

    text       plain, for services that show it as it is
    guarded    plain, for services that read their own markup in it: no line begins like an item of a list
    markdown   CommonMark that shows every title as it is
    tags       plain with HTML's entities, for chats that know a few tags
    html       a whole page, as in an e-mail
"""

Fate = Literal["taken", "waits", "refused", "unclear"]
"""The outcome of sending a message.

    taken      the other side has accepted it
    waits      it has not, but may later: no connection, a busy server, a password that is wrong at present
    refused    it will never accept this message; it may accept others
    unclear    the message was handed over completely, but no answer came: it may arrive or not
"""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the forms that channels use."""

    subject: str
    text: str
    html: str


TEST = Message(
    subject="Kometa-AI: test message",
    text="This is a test. Reports of Kometa-AI arrive here.\n",
    html="<!doctype html><html lang='en'><body><p>This is a test. Reports of Kometa-AI arrive here.</p></body></html>",
)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one message for one receiver (`e-mail to ann@example.org`).

    Either `answer` is what the other side said when it accepted the message, or `problem` is why it is not known to
    have accepted it.
    """

    to: str
    answer: str = ""
    problem: Problem | None = None
    fate: Fate = "taken"
