"""A configuration of Kometa's as people have it, with planted secrets, and the slips of the pen that break it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIG = """\
libraries:
  Movies:
    collection_files:
      - file: config/movies.yml
      - url: https://user:S3cretUrlPw@files.example/S3cretPath/x.yml
    overlay_files:
      - default: ribbon
    operations:
      mass_critic_rating_update: S3cretOperation
    radarr:
      token: S3cretLibraryRadarr
    webhooks:
      changes: https://discord.com/api/webhooks/1/S3cretLibraryHook
  S3cretLibraryName:
    metadata_files:
      - repo: S3cretRepoPath
settings:
  custom_repo: https://S3cretRepoToken@github.com/me/kometa
  sync_mode: append
  asset_directory:
    - /data/S3cretFolder
webhooks:
  error: https://discord.com/api/webhooks/2/S3cretHook
  run_start:
    - https://hooks.slack.com/services/S3cretSlack
    - notifiarr
  run_end: [gotify, "https://ntfy.example/S3cretTopic"]
plex:
  url: http://plex:32400/S3cretPlexPath
  token: "S3cretPlexToken"
  timeout: 60
tmdb:
  apikey: S3cretTmdb # S3cretComment
radarr: {url: "http://radarr:7878/S3cretFlow", token: S3cretRadarr, root_folder_path: /movies, quality_profile: Any}
sonarr:
  url: http://sonarr:8989
  token:
    S3cretNextLine
notifiarr:
  apikey: 'S3cretNotifiarr'
gotify:
  url: http://gotify
  token: &gotify S3cretAnchor
ntfy:
  token: *gotify
mdblist:
  apikey: >-
    S3cretFolded
trakt:
  client_id: S3cretClient
  client_secret: !!str S3cretTag
  authorization:
    access_token: S3cretAccess
    refresh_token: |
      S3cretBlock
      S3cretSecondLine
mal: {client_id: S3cretMal, S3cretKey: x}
anidb:
  username: S3cretUser
  password: "S3cret: password # with all"
S3cretTopKey: 1
"""

SECRET = "s3cret"
"""What every secret in it begins with, in lower case."""

_SLIPS: dict[str, Callable[[str], str]] = {
    "a tab": lambda line: "\t" + line.lstrip(),
    "a tab within": lambda line: line.replace(": ", ":\t", 1) + "\t: x",
    "no colon": lambda line: line.replace(": ", " ", 1),
    "no colon and no blank": lambda line: line.replace(": ", "", 1),
    "a colon too many": lambda line: line + ": x",
    "a colon in front": lambda line: line.replace(": ", ": a: ", 1),
    "a quote opened": lambda line: line.replace(": ", ': "', 1) if ": " in line else f'"{line}',
    "a quote too many": lambda line: line.replace(": ", ": 'x' ", 1),
    "indented deeper": lambda line: "   " + line,
    "indented less": lambda line: line[1:] if line.startswith(" ") else " " + line,
    "twice": lambda line: f"{line}\n{line}",
    "a list item": lambda line: f"- {line.lstrip()}",
    "an alias": lambda line: line.replace(": ", ": *", 1),
    "a tag handle": lambda line: line.replace(": ", ": !s3cret!", 1),
    "an odd tag": lambda line: line.replace(": ", ": !!int ", 1),
    "a bracket": lambda line: line.replace(": ", ": [", 1),
    "a brace": lambda line: line.replace(": ", ": {", 1),
    "an at sign": lambda line: line.replace(": ", ": @", 1),
    "a percent sign": lambda line: f"%{line.lstrip()}",
    "a control character": lambda line: line + "\x07",
    "a date": lambda line: line.replace(": ", ": 2001-99-99 #", 1),
    "a document": lambda line: f"---\n{line}",
    "an invisible line end": lambda line: f"# {line}\u2028{line}",
    "value on the next line": lambda line: line.replace(": ", ":\n", 1),
    "a marker": lambda line: f"# === KOMETA-AI ===\n{line}",
}


def broken_configurations(every: int = 1) -> Iterator[tuple[str, str]]:
    """Each line of the configuration broken in each way, or every so-manieth of these, with what was done."""
    lines = CONFIG.splitlines()
    number = 0
    for at, line in enumerate(lines):
        for slip, broken in _SLIPS.items():
            number += 1
            if number % every == 0:
                yield f"{slip} in {line.strip()!r}", "\n".join([*lines[:at], broken(line), *lines[at + 1 :], ""])


def shows_a_secret(text: str) -> bool:
    """Whether a text holds a planted secret, as it is or escaped by JSON."""
    return SECRET in text.lower() or SECRET in json.dumps(text).lower()
