"""Recognise Kometa's configurations among its files, and hide all of their text but the keys that Kometa knows.

A configuration holds the passwords and keys of a dozen services, each under another name. Where one is broken, a value
may stand anywhere: on a line without a key, in front of a colon, in the parser's own sentence.
"""

from __future__ import annotations

import re

from kometa_ai.kometa.markers import MARKER_TEXT
from kometa_ai.observe.redact import MASK

_SECTIONS = """
libraries plex tmdb tautulli webhooks omdb mdblist notifiarr gotify ntfy apprise anidb sonarr radarr settings mal trakt
github playlist_files
"""
_CONTENTS = "collections dynamic_collections templates external_templates metadata overlays queues playlists"
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
_KNOWN = frozenset(f"{_SECTIONS} {_CONTENTS} {_OTHER_KEYS}".split())

# At the beginning of a line, but for a slip of the pen: a blank, a tab, a quote or a dash too many.
_AT_START = r"(?:^|[\r\n])[\t \"'{?-]{0,2}"
_SECTION = re.compile(rf"{_AT_START}(?:{'|'.join(_SECTIONS.split())})(?![\w.-])")
_CONTENT = re.compile(rf"{_AT_START}(?:{'|'.join(_CONTENTS.split())})(?![\w.-])")
_KEY = re.compile(r"\A(?P<before>[\s?-]{0,200}+)(?P<key>[\"']?(?P<word>[\w.]{1,40})(?![\w.-])[\"']?)")


def is_configuration(source: str, text: str) -> bool:
    """Whether a file is one of Kometa's configurations, or may be one: by its name, or by its text, broken or not.

    A file that shows in no way to be anything else of Kometa's is taken for one, too.
    """
    if "config" in source.rpartition("/")[2].lower() or _SECTION.search(text):
        return True
    return not (MARKER_TEXT.search(text) or _CONTENT.search(text))


def only_the_key(line: str) -> str:
    """What may be shown of a line of a configuration: its key, if Kometa knows it, and that something follows."""
    found = _KEY.match(line)
    if not found or found["word"].lower() not in _KNOWN:
        return ""
    rest = line[found.end() :].strip(" \t:")
    return f"{found['before']}{found['key']}:{' ' + MASK if rest else ''}"
