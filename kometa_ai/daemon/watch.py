"""Know whether libraries and models can be used: look at the start, again while one cannot, learn from runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import structlog

from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.aside import aside
from kometa_ai.jobs.services import Looked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session

AGAIN = 300.0
"""Seconds until a service that could not be used is looked at again."""

_WORDS = {"ok": "ok", "unusable": "down", "silent": "down", "unknown": "unknown"}

_log = structlog.get_logger()


class Watch:
    """Looks at all services. None of its calls costs anything, and a service that is down is never an error here."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.found: dict[str, Looked] = {
            service: Looked(service=service, status="unknown") for service in session.checks
        }
        self._models = list(session.titles.values())
        self._providers = {title: provider for provider, title in session.titles.items()}

    def word(self, service: str) -> str:
        """How a service was last found, as the API says it: `ok`, `down` or `unknown`."""
        return _WORDS[self.found[service].status]

    def worst(self, service: str) -> str:
        """The same for all instances of a service together, or `none` if there is none: `down` if one is down."""
        return self._worst(title for title in self.found if title.partition(" ")[0] == service)

    @property
    def model(self) -> str:
        """The same for the providers of all models in use."""
        return self._worst(self._models)

    def _worst(self, services: Iterable[str]) -> str:
        words = set(map(self.word, services))
        return next((word for word in ("down", "unknown", "ok") if word in words), "none")

    @property
    def words(self) -> dict[str, str]:
        """The same for all services by their names, which for libraries are those in the state: `radarr-4k`."""
        return {
            self._providers.get(service) or service.lower().replace(" ", "-"): self.word(service)
            for service in self.found
        }

    async def look(self) -> None:
        """Look at all of them."""
        await asyncio.gather(*map(self._look, self.found))

    async def live(self) -> None:
        """Look again while a service is down, or it is not known of one, for ever."""
        while True:
            await asyncio.sleep(AGAIN)
            if not {"down", "unknown"}.isdisjoint(self.words.values()):
                await self.look()

    def learn(self, report: RunReport) -> None:
        """Take over what a run has found out."""
        for library in report.libraries:
            status: Literal["ok", "unusable"] = "unusable" if library.error else "ok"
            self._note(Looked(service=library.title, status=status, detail=library.error))
        if report.outcome == "model unusable":
            about = [problem for problem in report.problems if problem.source in self._models]
            if about:
                self._note(Looked(service=about[0].source, status="unusable", detail=about[0].what))
            else:  # one of several, and which one is found out by looking
                self.found |= {title: Looked(service=title, status="unknown") for title in self._models}
        elif report.outcome in ("ok", "problems", "waiting") and report.tokens.requests:
            self._note(Looked(service=self._models[0], status="ok"))

    async def _look(self, service: str) -> None:
        # Beside the loop: to import a provider's SDK takes seconds.
        try:
            found = await aside(f"check {service}", self._session.checks[service])
        except KometaAIError as error:
            found = Looked(service=service, status="unusable", detail=self._session.redact(error.message))
            # Log it once: the service is looked at again and again.
            tell = _log.debug if self.word(service) == "down" else _log.warning
            tell("service.down", service=service, why=error.message, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001 - a daemon that ends would not help
            detail = self._session.redact(f"{type(error).__name__}: {error}")
            found = Looked(service=service, status="unusable", detail=detail)
            _log.exception("service.down", service=service)
        for warning in found.warnings:
            _log.warning("service.warning", service=service, what=warning.what)
        self._note(found)

    def _note(self, found: Looked) -> None:
        if self.word(found.service) == "down" and found.status == "ok":
            _log.info("service.up", service=found.service)
        self.found[found.service] = found
