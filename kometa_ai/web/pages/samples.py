"""Make blocks to copy for users who have none yet, one of each kind, as the docs show them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.core.item import Kind

SAMPLES: Mapping[Kind, str] = {
    "movie": """\
collections:
  # === KOMETA-AI ===
  # enabled: true
  # prompt: |
  #   Film noir of the classic period, 1940-1959: a crime at the centre of the story, moral ambiguity,
  #   a private eye, a drifter or a femme fatale, the city at night.
  #   Leave out westerns, war films and comedies.
  # === END KOMETA-AI ===
  Film Noir:
    radarr_taglist: kai-film-noir
    sync_mode: sync
    show_missing: false
""",
    "show": """\
collections:
  # === KOMETA-AI ===
  # enabled: true
  # prompt: |
  #   Nordic noir: crime shows from Scandinavia, Finland or Iceland.
  #   Must have: one of these countries as the place, and a crime that shows what is wrong with the society around it.
  #   Leave out: remakes set elsewhere, Viking epics, comedies.
  # === END KOMETA-AI ===
  Nordic Noir:
    sonarr_taglist: kai-nordic-noir
    sync_mode: sync
    show_missing: false
""",
}
