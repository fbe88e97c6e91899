"""Look up the lines that problems are about in Kometa's files, and remove secrets from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.kometa.configuration import CONTENTS, SECTIONS, is_configuration
from kometa_ai.kometa.files import opened
from kometa_ai.kometa.lines import split_lines
from kometa_ai.observe.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.problem import Problem

_LARGEST = 1 << 23

# A collection may name a webhook, and a template a key. `<...>` is a variable, or a placeholder in our examples.
_SECRET = re.compile(
    r"((?<![\w.-])[\w.-]{0,40}?(?:token|api_?key|secret|passw|webhook|auth(?!or(?!i))|username|client_id"
    r"|(?<![a-z])pin(?![a-z]))[\w.-]{0,40}"
    r"[\"']?\s{0,40}[:=]\s{0,40})[^\s#<].*",
    re.IGNORECASE,
)
_OTHER_KEYS = """
collection_files metadata_files overlay_files image_files metadata_path overlay_path operations template_variables
file folder url git repo default pmm schedule library_name report_path remove_overlays reapply_overlays
reset_overlays schedule_overlays token user_token apikey api_key client_id client_secret authorization access_token
token_type expires_in refresh_token scope created_at pin username password topic secret localhost_url
root_folder_path quality_profile language_profile monitor monitor_existing availability tag search add_missing
add_existing upgrade_existing ignore_cache radarr_path sonarr_path plex_path series_type season_folder
cutoff_search timeout db_cache verify_ssl clean_bundles empty_trash optimize language region cache_expiration
error version run_start run_end delete changes cache sync_mode minimum_items default_collection_order
delete_below_minimum delete_not_scheduled show_missing show_unmanaged show_unconfigured show_filtered
show_unfiltered show_options save_report save_missing missing_only_released only_filter_missing run_order
run_again_delay tvdb_language ignore_ids ignore_imdb_ids item_refresh_delay playlist_sync_to_users
playlist_exclude_users playlist_report custom_repo asset_directory asset_folders asset_depth
create_asset_folders prioritize_assets dimensional_asset_rename download_url_assets overlay_artwork_filetype
overlay_artwork_quality radarr_remove_by_tag sonarr_remove_by_tag item_radarr_tag item_sonarr_tag
item_radarr_tag.sync item_sonarr_tag.sync item_radarr_tag.remove item_sonarr_tag.remove
"""
_KNOWN = frozenset(f"{SECTIONS} {CONTENTS} {_OTHER_KEYS}".split())
_KEY = re.compile(r"\A(?P<before>[\s?-]{0,200}+)(?P<key>[\"']?(?P<word>[\w.]{1,40})(?![\w.-])[\"']?)")
_HOOK = re.compile(r"(https?://[^\s/\"']{1,255}/[^\s\"']{0,40}?(?:hook|services)[^\s/\"']{0,40}/)\S+", re.IGNORECASE)


class _Lines(NamedTuple):
    """A file's lines, and whether the file is a Kometa configuration."""

    lines: tuple[str, ...]
    is_configuration: bool


class Excerpts:
    """Looks up lines in the files below a folder and reads each file once. `redact` hides the secrets that it knows."""

    def __init__(self, root: Path, redact: Callable[[str], str]) -> None:
        self._root = root
        self._redact = redact
        self._files: dict[str, _Lines] = {}

    def added_to(self, problem: Problem) -> Problem:
        """The problem with its line, if it has one. A correction that would show a secret is removed.

        Of a line in a configuration, only the key is shown.
        """
        if not problem.line or problem.line > len((file := self._read(problem.source)).lines):
            return problem
        line = file.lines[problem.line - 1]
        if file.is_configuration:
            return msgspec.structs.replace(problem, excerpt=_only_the_key(line), correction=None)
        correction = problem.correction
        if correction and any(without_secrets(line, self._redact) != line for line in correction.lines):
            correction = None
        excerpt = without_secrets(line, self._redact)
        return msgspec.structs.replace(problem, excerpt=excerpt, correction=correction)

    def _read(self, source: str) -> _Lines:
        if source not in self._files:
            try:
                with opened(self._root / source) as file:
                    text = file.read(_LARGEST).decode("utf-8-sig", errors="replace")
            except (OSError, ValueError):
                text = ""
            # Without its zero bytes, UTF-16 shows its words.
            plain = text.replace("\0", "")
            self._files[source] = _Lines(split_lines(text) if text else (), is_configuration(source, plain))
        return self._files[source]


def without_secrets(line: str, redact: Callable[[str], str]) -> str:
    """A line with what may be a secret hidden; `redact` hides those that are known."""
    return redact(_HOOK.sub(rf"\1{MASK}", _SECRET.sub(rf"\1{MASK}", line)))


def _only_the_key(line: str) -> str:
    """The part of a configuration's line that may be shown: a key that Kometa knows, with the value hidden."""
    found = _KEY.match(line)
    if not found or found["word"].lower() not in _KNOWN:
        return ""
    rest = line[found.end() :].strip(" \t:")
    return f"{found['before']}{found['key']}:{' ' + MASK if rest else ''}"
