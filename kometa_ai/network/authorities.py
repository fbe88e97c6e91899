"""Read certificate authorities from SSL_CERT_FILE and SSL_CERT_DIR, in addition to the system's.

The files are read once, with the settings; connections use what was found then.
"""

from __future__ import annotations

import re
import ssl
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kometa_ai.core.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    found = _certificates([("", _content(Path(path)))])
    if not found:
        raise Unfit("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    return found


def _of_folders(paths: str) -> list[bytes]:
    """The certificates in all files of the folders, which are separated by `:` as for OpenSSL.

    A missing folder is skipped if another one holds certificates, as OpenSSL does.
    """
    files: list[tuple[str, bytes]] = []
    unfit = ""
    for name in filter(None, paths.split(":")):
        folder = Path(name)
        if not folder.is_dir():
            unfit = unfit or ("is not a folder" if folder.exists() else "is not there")
            continue
        try:
            inside = sorted(folder.iterdir())
        except OSError as error:
            raise Unfit(f"cannot be read: {error.strerror}") from None
        # Folders of authorities also hold other files, and dangling links.
        files += [(f"{file.name}: ", _content(file)) for file in inside[:_MOST_FILES] if file.is_file()]
    found = _certificates(files)
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


def _certificates(files: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """Every certificate in PEM form, each once; files are given with a name for messages, and their content.

    Raises Unfit if one is broken: skipping it might skip the one that is needed.
    """
    found: dict[bytes, tuple[str, bytes, int, int]] = {}
    for name, data in files:
        blocks = list(_BLOCK.finditer(data))
        if (begun := data.count(_BEGIN)) != len(blocks):
            raise Unfit(f"holds a certificate without its END line ({name}{begun} begin, {len(blocks)} end)")
        for number, block in enumerate(blocks, start=1):
            place = name, data, block.start(), number
            try:
                found.setdefault(ssl.PEM_cert_to_DER_cert(block[0].decode("ascii").strip()), place)
            except (ValueError, UnicodeDecodeError):
                raise _broken(*place) from None
    if not _all_load(frozenset(found)):
        for der, place in found.items():
            if not _all_load(frozenset([der])):
                raise _broken(*place)
    return list(found)


@lru_cache(maxsize=4)  # variables name the same file, and settings are read again
def _all_load(certificates: frozenset[bytes]) -> bool:
    """Whether OpenSSL takes all of them. At once: a context for each would take a second of a slow machine's start."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=b"".join(certificates))
    except (ValueError, ssl.SSLError):
        return not certificates
    # It stops, without an error, at what looks like the end of the data.
    return context.cert_store_stats()["x509"] >= len(certificates)


def _broken(name: str, data: bytes, start: int, number: int) -> Unfit:
    line = data.count(b"\n", 0, start) + 1
    return Unfit(f"holds a broken certificate ({name}number {number}, line {line})")
