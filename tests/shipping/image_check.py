"""Build the image from a clean clone on a base of Debian's own packages, and use it: `make image-check`.

For a machine that reaches Debian's packages and PyPI, but no registry of images. It needs root on Debian 12 or later,
with `apt-get install buildah mmdebstrap podman runc`. The recipe is the one that is shipped, and so is everything
behind its FROM; the base is Debian's Python in place of the official image's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.shipping import smoke

ROOT = Path(__file__).parents[2]
BASE = "localhost/kometa-ai-stand-in-base"
"""Kept for the next time; `buildah rmi` takes it away, so that the next time makes it anew."""
_IMAGE = "localhost/kometa-ai"
_TOOLS = ("buildah", "mmdebstrap", "podman", "runc")
_SUITE = "trixie"
_PACKAGES = "ca-certificates,python3-pip,python3-venv,python-is-python3"
_LEFT_OUT = ("man", "doc", "locale")
"""What Debian's slim images leave out of /usr/share."""
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_ENGINE = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
"""Podman's settings for a machine without systemd, such as a container or a small VM."""


def _run(*command: str, **options: str | dict[str, str]) -> None:
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload] # noqa: S603 - our own commands


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def make_base(folder: Path) -> None:
    """Put the base together; it trusts the authorities that this machine trusts, as behind a proxy of a company."""
    archive, settings = folder / "base.tar", folder / "pip.conf"
    exclude = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    _run("mmdebstrap", "--quiet", "--variant=minbase", *exclude, f"--include={_PACKAGES}", _SUITE, str(archive))
    settings.write_text(f"[global]\ncert = {_AUTHORITIES}\n", encoding="utf-8")
    container = _said("buildah", "from", "scratch")
    try:
        for what, where in ((str(archive), "/"), (_AUTHORITIES, _AUTHORITIES), (str(settings), "/etc/pip.conf")):
            _run("buildah", "add", "--quiet", container, what, where)
        _run("buildah", "commit", "--quiet", container, BASE)
    finally:
        _run("buildah", "rm", container)


def main() -> None:
    """Make the base unless there is one, clone, build by chroot alone, and call the smoke test."""
    if missing := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        sys.exit(f"Not found: {', '.join(missing)}. On Debian: apt-get install {' '.join(_TOOLS)}")
    if os.geteuid() != 0:
        sys.exit("Building by chroot and handing over folders takes root.")
    with tempfile.TemporaryDirectory(prefix="kometa-ai-image-") as made:
        folder = Path(made)
        if not _said("buildah", "images", "--filter", f"reference={BASE}", "--quiet"):
            make_base(folder)
        clone = folder / "clone"
        _run("git", "clone", "--quiet", str(ROOT), str(clone))
        by_chroot = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        _run("make", "image", "BUILDER=buildah", f"PYTHON_IMAGE={BASE}", cwd=str(clone), env=by_chroot)
        if not Path("/run/systemd/system").exists():
            (folder / "containers.conf").write_text(_ENGINE, encoding="utf-8")
            os.environ |= {"CONTAINERS_CONF": str(folder / "containers.conf"), "DISABLE_HC_SYSTEMD": "true"}
        smoke.use("podman", _IMAGE, _said("git", "-C", str(clone), "rev-parse", "HEAD"))


if __name__ == "__main__":
    main()
