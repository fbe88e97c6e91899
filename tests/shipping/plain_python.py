"""Install the program as docs/start.md says for plain Python, and use it: `python -m tests.shipping.plain_python`.

The lines are taken from the page and run by a shell, in a copy of the tree and with a home of their own. Needs a
package index. The services are the stand-ins of what was installed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent.parent
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OURS = re.compile(r"^kometa-ai (--(?:check-config|estimate|dry-run|run-now).*?)(?: +#.*)?$", re.MULTILINE)
_NOT_COPIED = (".venv", ".git", "build", "dist", "site", "*.egg-info", "__pycache__", ".*_cache")
_KEY = "0123456789abcdef0123456789abcdef"


def lines() -> tuple[str, str, list[str]]:
    """What installs it, what sets it up, and the commands of our own, as the page has them."""
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    section = page.partition("\n### Plain Python\n")[2].partition("\n## ")[0]
    installing, setting, *_ = _FENCE.findall(section)
    return installing, setting, _OURS.findall(page)


def _address(output: IO[str]) -> str:
    """What a stand-in says it listens on."""
    return output.readline().split()[-1]


def main() -> None:
    """Do it; a line that fails ends it."""
    installing, setting, commands = lines()
    with tempfile.TemporaryDirectory(prefix="kometa-ai-plain-") as folder, ExitStack() as stack:
        tree, home, kometa = (Path(folder) / name for name in ("tree", "home", "kometa"))
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        home.mkdir()
        shutil.copytree(ROOT / "kometa_ai" / "standins" / "films" / "kometa", kometa)
        environ = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "PATH"))}
        environ |= {"HOME": str(home)}
        shell = ["bash", "-euo", "pipefail", "-c"]
        subprocess.run([*shell, installing], cwd=tree, env=environ, check=True)  # noqa: S603
        python = home / ".local" / "share" / "kometa-ai" / "bin" / "python"
        addresses = []
        for name in ("radarr", "claude"):
            started = stack.enter_context(
                subprocess.Popen(  # noqa: S603
                    [python, "-u", "-m", "kometa_ai.standins", name, "--port", "0"],
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=folder,
                )
            )
            stack.callback(started.terminate)
            assert started.stdout
            addresses.append(_address(started.stdout))
        changed = {
            "RADARR_URL": addresses[0],
            "RADARR_API_KEY": _KEY,
            "CLAUDE_API_KEY": "any",
            "CONFIG_DIR": str(kometa),
        }
        for name, value in changed.items():
            setting, count = re.subn(
                rf"^export {name}=.*$", f"export {name}={shlex.quote(value)}", setting, flags=re.MULTILINE
            )
            assert count == 1, name
        setting += f"export CLAUDE_BASE_URL={addresses[1]}\n. {python.parent}/activate\n"
        for command in dict.fromkeys(commands):
            sys.stdout.write(f"kometa-ai {command}\n")
            sys.stdout.flush()
            subprocess.run([*shell, f"{setting}kometa-ai {command}"], cwd=folder, env=environ, check=True)  # noqa: S603
        sys.stdout.write("ok\n")


if __name__ == "__main__":
    main()
