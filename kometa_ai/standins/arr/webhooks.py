"""Send webhooks as both programs do: at once, without a second try, and not at all for a while after a failure."""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from kometa_ai.standins.arr.wire import present

if TYPE_CHECKING:
    from collections.abc import Collection

    from kometa_ai.standins.arr.product import Product
    from kometa_ai.standins.arr.wire import Json

_SYSTEM = "alpine 3.22.2"
_TIMEOUT = 100
_WITHOUT_URL = {"Health", "HealthRestored", "ApplicationUpdate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A connection, as a user sets it up: with an address over plain HTTP, and a name, headers and tags if wanted.

    With `tags` it tells only about items that have one of these labels.
    """

    url: str
    method: str = "POST"
    username: str = ""
    password: str = ""
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that a connection was told. `status` is None if no answer came, and for a connection that is off."""

    webhook: Webhook
    payload: Json
    status: int | None
    was_off: bool = False


class Webhooks:
    """The connections, and all that was sent. `instance` is the user's name for the program."""

    def __init__(self, product: Product) -> None:
        self.instance = product.name
        self.deliveries: list[Delivery] = []
        self._agent = f"{product.name}/{product.version} ({_SYSTEM})"
        self._connections: list[Webhook] = []
        self._off: set[Webhook] = set()

    def connect(self, webhook: Webhook) -> None:
        """Set up a connection."""
        self._connections.append(webhook)

    def wake(self) -> None:
        """Let the time pass for which connections are off after a failure."""
        self._off.clear()

    def send(self, event: str, *, about: Collection[str] | None = None, **fields: object) -> None:
        """Tell every connection of an event; `about` are the labels of the item that it is about, if there is one."""
        address = {"applicationUrl": ""} if event not in _WITHOUT_URL else {}
        payload = present({**fields, "eventType": event, "instanceName": self.instance, **address})
        for webhook in self._connections:
            if webhook.tags and about is not None and webhook.tags.isdisjoint(about):
                continue
            if webhook in self._off and event != "Test":
                self.deliveries.append(Delivery(webhook, payload, None, was_off=True))
                continue
            status = self._deliver(webhook, payload)
            if status is None or status // 100 != HTTPStatus.OK // 100:
                self._off.add(webhook)
            self.deliveries.append(Delivery(webhook, payload, status))

    def _deliver(self, webhook: Webhook, payload: Json) -> int | None:
        address = urlsplit(webhook.url)
        headers = {"User-Agent": self._agent, "Content-Type": "application/json", **webhook.headers}
        if webhook.username or webhook.password:
            pair = f"{webhook.username}:{webhook.password}".encode("latin-1", "replace")
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        path = f"{address.path or '/'}{'?' if address.query else ''}{address.query}"
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
        try:
            connection.request(webhook.method, path, msgspec.json.encode(payload), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
