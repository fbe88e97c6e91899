"""Tell the version, which the release writes here and nowhere else, and the commit that it was built from."""

from pathlib import Path

__version__ = "1.0.0"


def version_and_commit() -> str:
    """The version, and in brackets the commit, where the build has left its name in the package."""
    try:
        commit = Path(__file__).with_name("COMMIT").read_text(encoding="ascii").strip()[:12]
    except (OSError, ValueError):
        commit = ""
    return f"{__version__} ({commit})" if commit else __version__
