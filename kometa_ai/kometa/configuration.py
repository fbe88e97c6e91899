"""Recognise Kometa's configurations among its files, because no text of theirs may be shown.

A configuration holds the passwords and keys of many services, under different names. In a broken one, a value can
appear anywhere: on a line without a key, before a colon, or in the message of the parser.
"""

from __future__ import annotations

import re

from kometa_ai.kometa.markers import MARKER_TEXT

SECTIONS = """
libraries plex tmdb tautulli webhooks omdb mdblist notifiarr gotify ntfy apprise anidb sonarr radarr settings mal trakt
github playlist_files
"""
CONTENTS = "collections dynamic_collections templates external_templates metadata overlays queues playlists"
MAIN = ("config.yml", "config.yaml")
"""The possible names of Kometa's own configuration."""

# At the start of a line, also after a misplaced blank, tab, quote or dash.
_AT_START = r"(?:^|[\r\n])[\t \"'{?-]{0,2}"
_SECTION = re.compile(rf"{_AT_START}(?:{'|'.join(SECTIONS.split())})(?![\w.-])")
_LIBRARIES = re.compile(rf"{_AT_START}libraries(?![\w.-])")
_CONTENT = re.compile(rf"{_AT_START}(?:{'|'.join(CONTENTS.split())})(?![\w.-])")


def is_configuration(source: str, text: str) -> bool:
    """Whether a file is a Kometa configuration, or may be one: judged by its name, or by its text, broken or not.

    A file that is not clearly another kind of Kometa file counts as a configuration, too.
    """
    if "config" in source.rpartition("/")[2].lower() or _SECTION.search(text):
        return True
    return not (MARKER_TEXT.search(text) or _CONTENT.search(text))


def may_list_libraries(source: str, text: str) -> bool:
    """Whether a file may be a configuration that lists libraries, judged by its text, because it may be broken."""
    return "/" not in source and (source in MAIN or bool(_LIBRARIES.search(text)))
