"""Run the stand-ins as servers for development: `python -m kometa_ai.standins radarr --port 7878`."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.films import films
from kometa_ai.standins.keyword_judge import judge
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.ollama_prompt import Model, named
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.openai_models import FACES, Face
from kometa_ai.standins.radarr import API_KEY, RadarrStandIn
from kometa_ai.standins.serving import HOST, serve
from kometa_ai.standins.shows import shows
from kometa_ai.standins.sonarr import SonarrStandIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_GLANCE = 0.2
"""Seconds between two polls of the mailbox."""


@click.group()
def standins() -> None:
    """Servers that behave as Radarr, Sonarr, Claude, Ollama and a mail server do. They remember nothing once ended."""


def _listening(port: int) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        with_host = click.option(
            "--host", default=HOST, show_default=True, help="The address to listen on; 0.0.0.0 in a container."
        )
        with_port = click.option(
            "--port", type=click.IntRange(0, 65535), default=port, show_default=True, help="The port; 0 is a free one."
        )
        return with_host(with_port(function))

    return decorate


@standins.command()
@_listening(7878)
@click.option("--key", default=API_KEY, show_default=True, help="The API key that it accepts.")
def radarr(host: str, port: int, key: str) -> None:
    """Radarr's API, with the demo's library of real films."""
    _serve_until_ended(RadarrStandIn([film.as_seed() for film in films()], api_key=key).app, host, port)


@standins.command()
@_listening(8989)
@click.option("--key", default=API_KEY, show_default=True, help="The API key that it accepts.")
@click.option("--line", type=click.Choice(["v4", "v5"]), default="v4", show_default=True, help="The version it is of.")
def sonarr(host: str, port: int, key: str, line: Literal["v4", "v5"]) -> None:
    """Sonarr's API, with the demo's library of real shows."""
    _serve_until_ended(SonarrStandIn([show.as_seed() for show in shows()], api_key=key, line=line).app, host, port)


@standins.command()
@_listening(8000)
@click.option("--key", default=None, help="The only API key that it accepts; any without this.")
def claude(host: str, port: int, key: str | None) -> None:
    """Claude's Messages API, judging by keyword matching, no more."""
    _serve_until_ended(ClaudeStandIn(judge=judge, api_key=key).app, host, port)


@standins.command()
@_listening(8001)
@click.option("--face", type=click.Choice(FACES), default="openai", show_default=True, help="The service that it is.")
@click.option("--key", default=None, help="The only API key that it accepts; any without this.")
def openai(host: str, port: int, face: Face, key: str | None) -> None:
    """Chat Completions as OpenAI, Gemini, OpenRouter or a server at home has them, judging by keyword matching."""
    _serve_until_ended(OpenAIStandIn(face, judge=judge, api_key=key).app, host, port)


@standins.command()
@_listening(11434)
@click.option("--model", default="qwen3:14b", show_default=True, help="The model that is installed.")
@click.option("--context", type=click.IntRange(512), default=40_960, show_default=True, help="Its longest context.")
@click.option("--old", is_flag=True, help="A version that cuts prompts without a word.")
def ollama(*, host: str, port: int, model: str, context: int, old: bool) -> None:
    """Ollama's own API, judging by keyword matching, no more."""
    make = OllamaStandIn.old if old else OllamaStandIn
    _serve_until_ended(make(judge=judge, models=[Model(name=named(model), context=context)]).app, host, port)


@standins.command()
@_listening(2525)
def mailbox(host: str, port: int) -> None:
    """A mail server that shows what it is sent, and passes nothing on."""
    end = _on_signals()
    with Mailbox(host=host, port=port) as box:
        click.echo(f"Listening on smtp://{host}:{box.port}")
        shown = 0
        while not end.wait(_GLANCE):
            for mail in box.received[shown:]:
                shown += 1
                click.echo(f"--- to {', '.join(mail.recipients)}\n{mail.message.as_string()}")


def _serve_until_ended(app: ASGIApp, host: str, port: int) -> None:
    end = _on_signals()
    with ExitStack() as stack:
        click.echo(f"Listening on {stack.enter_context(serve(app, host=host, port=port))}")
        end.wait()


def _on_signals() -> Event:
    """An event that SIGTERM and Ctrl+C set: as process 1 of a container, a process only ends by signals it handles."""
    end = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    return end


if __name__ == "__main__":
    standins(prog_name="python -m kometa_ai.standins")
