"""Whether Radarr and Claude can be used: looked at when the daemon starts, again while one cannot, and by each run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import structlog

from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.aside import aside
from kometa_ai.library.radarr import Radarr
from kometa_ai.observe.redact import Redactor
from kometa_ai.providers.claude.client import Claude
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kometa_ai.core.report import RunReport
    from kometa_ai.settings.schema import Settings

AGAIN = 300.0
"""Seconds until a service that could not be used is looked at again."""

_log = structlog.get_logger()

Service = Literal["Radarr", "Claude"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How a service was last seen: `ok`, `down` or `unknown`, and its version or what is wrong with it."""

    status: Literal["ok", "down", "unknown"] = "unknown"
    detail: str = ""


class Watch:
    """Looks at both services. None of its calls costs anything, and a service that is down is never an error here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redact = Redactor(secrets_of(settings)).text
        self.seen: dict[Service, Seen] = {"Radarr": Seen(), "Claude": Seen()}

    async def look(self) -> None:
        """Look at both."""
        await asyncio.gather(self._look("Radarr", self._radarr), self._look("Claude", self._claude))

    async def live(self) -> None:
        """Look again at what is down, for ever."""
        while True:
            await asyncio.sleep(AGAIN)
            if any(seen.status == "down" for seen in self.seen.values()):
                await self.look()

    def learn(self, report: RunReport) -> None:
        """Take over what a run has found out."""
        match report.outcome:
            case "radarr unusable":
                self._note("Radarr", Seen(status="down", detail=report.problems[0].what if report.problems else ""))
            case "claude unusable":
                self._note("Radarr", Seen(status="ok"))
                self._note("Claude", Seen(status="down", detail=report.problems[0].what if report.problems else ""))
            case "ok" | "problems":
                self._note("Radarr", Seen(status="ok"))
                if report.tokens.requests:
                    self._note("Claude", Seen(status="ok"))

    async def _look(self, service: Service, check: Callable[[], Coroutine[Any, Any, Seen]]) -> None:
        # Beside the loop: to import Claude's SDK takes seconds.
        try:
            seen = await aside(f"check {service}", check)
        except KometaAIError as error:
            seen = Seen(status="down", detail=self._redact(error.message))
            # Once is enough: it is looked at again and again.
            tell = _log.debug if self.seen[service].status == "down" else _log.warning
            tell("service.down", service=service, why=error.message, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever it is, a daemon that ends would not help.
            seen = Seen(status="down", detail=self._redact(f"{type(error).__name__}: {error}"))
            _log.exception("service.down", service=service)
        self._note(service, seen)

    def _note(self, service: Service, seen: Seen) -> None:
        if self.seen[service].status == "down" and seen.status == "ok":
            _log.info("service.up", service=service)
        self.seen[service] = seen

    async def _radarr(self) -> Seen:
        key = self._settings.radarr_api_key.get_secret_value()
        async with Radarr(self._settings.radarr_url, key, redact=self._redact) as radarr:
            status = await radarr.check()
        if status.warning:
            _log.warning("service.warning", service="Radarr", what=status.warning)
        return Seen(status="ok", detail=status.version)

    async def _claude(self) -> Seen:
        settings = self._settings
        key = settings.claude_api_key.get_secret_value()
        async with Claude(key, settings.claude_base_url, redact=self._redact) as claude:
            await claude.check(settings.claude_model)
        return Seen(status="ok", detail=settings.claude_model)
