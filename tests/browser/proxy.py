"""Debian's nginx in front of a daemon, as a page of instructions would have it set up, below a path of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.daemon.living import PATIENCE, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

Form = Literal["kept", "stripped"]

PREFIX = "/kometa-ai"
_CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {location}
  }}
}}
"""
_PAGE = (Path(__file__).parents[2] / "docs/page.md").read_text(encoding="utf-8")
_DOCUMENTED = _PAGE.partition("```nginx\n")[2].partition("```")[0]
_ADDRESS = "http://127.0.0.1:7880"
# One as the documentation advises. One with nothing but what is needed: nginx then sends its own idea of the host.
_LOCATION = {
    "kept": _DOCUMENTED.replace(_ADDRESS, "UPSTREAM"),
    "stripped": f"location {PREFIX}/ {{ proxy_pass UPSTREAM/; }}",
}


@contextmanager
def proxied(program: str, upstream: str, folder: Path, form: Form) -> Iterator[str]:
    """Put nginx in front of `upstream`; yield its address with the prefix. It passes the prefix on, or strips it."""
    port = free_port()
    location = _LOCATION[form].replace("UPSTREAM", upstream)
    text = _CONFIGURATION.format(folder=folder, port=port, location=location)
    configuration = folder / "nginx.conf"
    configuration.write_text(text, encoding="utf-8")
    log = folder / "nginx.log"
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(  # noqa: S603 - the nginx that was found
            [program, "-p", folder, "-c", configuration, "-e", "stderr"], stderr=stderr
        ) as process,
    ):
        try:
            _wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"nginx does not listen: {log.read_text(encoding='utf-8')}")
