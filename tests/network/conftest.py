"""A world, and the program's command line in it."""

from tests.cli.conftest import call, world

__all__ = ["call", "world"]
