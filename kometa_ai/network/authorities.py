"""Read certificate authorities from SSL_CERT_FILE and SSL_CERT_DIR, in addition to the system's.

The files are read once, with the settings; connections use what was found then.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from kometa_ai.core.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
OF_APPRISE = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that Apprise's HTTP library reads, the first that is set; other connections ignore them."""

_LARGEST = 16 * 1024 * 1024
_MOST_FILES = 5000
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s[^-]*+-----END CERTIFICATE-----")
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_REMEDY = "Name a file with certificates in PEM form that this user can read, or unset {variable}."


class Unfit(Exception):
    """A file without usable certificates; the text completes "SSL_CERT_FILE: '/…' …"."""


def read_authorities(environ: Mapping[str, str]) -> tuple[tuple[bytes, ...], list[Problem]]:
    """The certificates (DER) that SSL_CERT_FILE and SSL_CERT_DIR name, and problems with these variables."""
    found: dict[bytes, None] = {}
    problems = []
    for variable, read in ((FILE, _of_file), (FOLDER, _of_folders)):
        path = environ.get(variable, "").strip()
        if not path:
            continue
        try:
            found |= dict.fromkeys(read(path))
        except Unfit as error:
            problems.append(_problem(variable, path, error))
    return tuple(found), problems


def problems_of_apprise(environ: Mapping[str, str]) -> list[Problem]:
    """Problems with the variable that Apprise's HTTP library reads its authorities from, if one is set."""
    variable = next((name for name in OF_APPRISE if environ.get(name)), "")
    if not variable:
        return []
    path = environ[variable]
    try:
        _of_folders(path) if Path(path).is_dir() else _of_file(path)
    except Unfit as error:
        return [_problem(variable, path, error)]
    return []


def _problem(variable: str, path: str, error: Unfit) -> Problem:
    return Problem(source=variable, what=f"{path!r} {error}.", remedy=_REMEDY.format(variable=variable))


def _of_file(path: str) -> list[bytes]:
    if Path(path).is_dir():
        raise Unfit("is a folder, not a file")
    found = list(_certificates(_content(Path(path))))
    if not found:
        raise Unfit("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    return found


def _of_folders(paths: str) -> list[bytes]:
    """The certificates in all files of the folders, which are separated by `:` as for OpenSSL.

    A missing folder is skipped if another one holds certificates, as OpenSSL does.
    """
    found: list[bytes] = []
    unfit = ""
    for name in filter(None, paths.split(":")):
        folder = Path(name)
        if not folder.is_dir():
            unfit = unfit or ("is not a folder" if folder.exists() else "is not there")
            continue
        try:
            files = sorted(folder.iterdir())
        except OSError as error:
            raise Unfit(f"cannot be read: {error.strerror}") from None
        for file in files[:_MOST_FILES]:
            # Folders of authorities also hold other files, and dangling links.
            if file.is_file():
                found += _certificates(_content(file), name=f"{file.name}: ")
    if not found:
        raise Unfit(unfit or "holds no file with a certificate in PEM form")
    return found


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise Unfit("is not a regular file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise Unfit("is not there") from None
    except (OSError, ValueError) as error:
        raise Unfit(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > _LARGEST:
        raise Unfit("is too large for a file of certificates")
    return data


def _certificates(data: bytes, name: str = "") -> Iterator[bytes]:
    """Every certificate in PEM form. Raises Unfit if one is broken: skipping it might skip the one that is needed."""
    blocks = list(_BLOCK.finditer(data))
    if data.count(_BEGIN) != len(blocks):
        raise Unfit(f"holds a certificate without its END line ({name}{data.count(_BEGIN)} begin, {len(blocks)} end)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, block in enumerate(blocks, start=1):
        line = data.count(b"\n", 0, block.start()) + 1
        try:
            der = ssl.PEM_cert_to_DER_cert(block[0].decode("ascii").strip())
            context.load_verify_locations(cadata=der)
        except (ValueError, ssl.SSLError, UnicodeDecodeError):
            raise Unfit(f"holds a broken certificate ({name}number {number}, line {line})") from None
        yield der
