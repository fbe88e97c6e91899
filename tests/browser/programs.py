"""Programs from the system that tests need: found, or a reason to skip; where CI is set, a reason to fail."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_NGINX = ("nginx", "/usr/sbin/nginx")


def chromium(environ: Mapping[str, str] = os.environ) -> str:
    """Where Chromium is. Skips the test without one."""
    return _found(environ, "CHROMIUM", _CHROMIUM, "No Chromium: `apt-get install chromium`, or set CHROMIUM to one.")


def nginx(environ: Mapping[str, str] = os.environ) -> str:
    """Where nginx is. Skips the test without one."""
    return _found(environ, "NGINX", _NGINX, "No nginx: `apt-get install nginx-light`, or set NGINX to one.")


def _found(environ: Mapping[str, str], variable: str, names: tuple[str, ...], otherwise: str) -> str:
    wanted = environ.get(variable, "")
    for name in (wanted,) if wanted else names:
        if found := shutil.which(name, path=environ.get("PATH")):
            return found
    if environ.get("CI") == "true":
        pytest.fail(otherwise)
    pytest.skip(otherwise)
