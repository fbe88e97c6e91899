"""Serve style sheet, scripts and icons below a path that names their content, so that browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, HTTPException, Path, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/static/"
_TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_FOR_A_DAY = "public, max-age=86400"
_KINDS = "|".join(_TYPES)
_FOLDER = resources.files("kometa_ai.web") / "static"

router = APIRouter(include_in_schema=False)


@cache
def files() -> Mapping[str, bytes]:
    """Every file by its name."""
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(_FOLDER.iterdir(), key=lambda entry: entry.name)
        if entry.name.rpartition(".")[2] in _TYPES
    }


@cache
def packed() -> Mapping[str, bytes]:
    """The same compressed, where that makes them smaller. Pages are not: they hold the token of their visitor."""
    made = {name: gzip.compress(content, mtime=0) for name, content in files().items()}
    return {name: content for name, content in made.items() if len(content) < len(files()[name])}


@cache
def digest() -> str:
    """A short hash over all files: another one as soon as one of them differs."""
    total = hashlib.sha256()
    for name, content in files().items():
        total.update(f"{name} {len(content)} ".encode() + content)
    return total.hexdigest()[:12]


def path_of(name: str) -> str:
    """The path of a file, without the URL base. Raise KeyError for one that there is not."""
    if name not in files():
        raise KeyError(name)
    return f"{PREFIX}{digest()}/{name}"


@router.head("/static/{version}/{name}")
@router.get("/static/{version}/{name}")
async def read(
    request: Request, version: str, name: Annotated[str, Path(pattern=rf"^[a-z0-9.-]{{1,60}}\.({_KINDS})$")]
) -> Response:
    """A file. A page of an older version still gets the present one, but must not keep it under the old name."""
    return _answer(request, name, _FOR_EVER if version == digest() else _FOR_A_DAY)


@router.head("/favicon.ico")
@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """The icon that browsers ask for by themselves."""
    return _answer(request, "icon-32.png", _FOR_A_DAY)


def _answer(request: Request, name: str, kept: str) -> Response:
    content = files().get(name)
    if content is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no file {name!r}.")
    # Dashboards show the icon beside a link to here.
    headers = {"Cache-Control": kept, "Cross-Origin-Resource-Policy": "cross-origin", "Vary": "Accept-Encoding"}
    if name in packed() and _takes_gzip(request.headers.get("accept-encoding", "")):
        content, headers["Content-Encoding"] = packed()[name], "gzip"
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether a client reads gzip: it names it, and gives it a weight above 0 or none."""
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() == "gzip":
            return not weight or weight.strip().removeprefix("q=").strip("0.") != ""
    return False
