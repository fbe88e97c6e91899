"""Recognise Kometa's configurations among its files: no text of theirs may be shown.

A configuration holds the passwords and keys of a dozen services, each under another name. Where one is broken, a value
may stand anywhere: on a line without a key, in front of a colon, in the parser's own sentence.
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
"""The names that Kometa's own configuration may have."""

# At the beginning of a line, but for a slip of the pen: a blank, a tab, a quote or a dash too many.
_AT_START = r"(?:^|[\r\n])[\t \"'{?-]{0,2}"
_SECTION = re.compile(rf"{_AT_START}(?:{'|'.join(SECTIONS.split())})(?![\w.-])")
_LIBRARIES = re.compile(rf"{_AT_START}libraries(?![\w.-])")
_CONTENT = re.compile(rf"{_AT_START}(?:{'|'.join(CONTENTS.split())})(?![\w.-])")


def is_configuration(source: str, text: str) -> bool:
    """Whether a file is one of Kometa's configurations, or may be one: by its name, or by its text, broken or not.

    A file that shows in no way to be anything else of Kometa's is taken for one, too.
    """
    if "config" in source.rpartition("/")[2].lower() or _SECTION.search(text):
        return True
    return not (MARKER_TEXT.search(text) or _CONTENT.search(text))


def may_list_libraries(source: str, text: str) -> bool:
    """Whether a file may be a configuration that lists libraries, as far as its text shows: it may be broken."""
    return "/" not in source and (source in MAIN or bool(_LIBRARIES.search(text)))
