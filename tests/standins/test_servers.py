"""The stand-ins as processes of their own, as development uses them."""

from __future__ import annotations

import signal
import smtplib
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from kometa_ai.standins.films import films
from kometa_ai.standins.radarr import API_KEY
from kometa_ai.standins.shows import shows

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _server(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A stand-in's process, and the address that its first line tells."""
    command = [sys.executable, "-u", "-m", "kometa_ai.standins", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own code
        assert process.stdout is not None
        yield process, process.stdout.readline().removeprefix("Listening on ").strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_radarr_serves_the_library() -> None:
    """Whoever has the key gets the demo's films."""
    with _server("radarr") as (_, url):
        movies = httpx2.get(f"{url}/api/v3/movie", headers={"X-Api-Key": API_KEY}).json()

    assert {movie["tmdbId"] for movie in movies} == {film.tmdb_id for film in films()}


@pytest.mark.parametrize(("line", "version"), [("v4", "4."), ("v5", "5.")])
def test_sonarr_serves_its_library(line: str, version: str) -> None:
    """The demo's shows are there for the key, in the version that was asked for."""
    with _server("sonarr", "--line", line) as (_, url):
        headers = {"X-Api-Key": API_KEY}
        answer = httpx2.get(f"{url}/api/v3/series", headers=headers)

    assert {show["tvdbId"] for show in answer.json()} == {show.tvdb_id for show in shows()}
    assert answer.headers["X-Application-Version"].startswith(version)


@pytest.mark.parametrize(("key", "status"), [("mine", 200), ("another", 401)])
def test_claude_takes_the_key_it_was_given(key: str, status: int) -> None:
    """Its models are there for the one key."""
    headers = {"X-Api-Key": key, "anthropic-version": "2023-06-01"}
    with _server("claude", "--key", "mine") as (_, url):
        answer = httpx2.get(f"{url}/v1/models", headers=headers)

    assert answer.status_code == status


def test_ollama_has_the_model_that_it_was_given() -> None:
    """With the context that it was given, in an old version too."""
    with _server("ollama", "--model", "gemma4", "--context", "8192", "--old") as (_, url):
        shown = httpx2.post(f"{url}/api/show", json={"model": "gemma4"}).json()
        version = httpx2.get(f"{url}/api/version").json()["version"]

    assert shown["model_info"]["standin.context_length"] == 8192
    assert version.startswith("0.11.")


def test_the_mail_server_shows_what_it_is_sent() -> None:
    """A message is on the screen soon after it was accepted."""
    with _server("mailbox") as (process, url):
        assert process.stdout is not None
        host, _, port = url.removeprefix("smtp://").partition(":")
        with smtplib.SMTP(host, int(port)) as client:
            client.sendmail("kometa-ai@example.org", ["you@example.org"], "Subject: Seven movies\n\nHello.\n")
        shown = [process.stdout.readline() for _ in range(2)]

    assert shown == ["--- to you@example.org\n", "Subject: Seven movies\n"]
