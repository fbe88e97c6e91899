"""What becomes of tests whose program is missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.browser import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROGRAMS = {"CHROMIUM": programs.chromium, "NGINX": programs.nginx}
NOWHERE = {"CHROMIUM": "/nowhere/chromium", "NGINX": "/nowhere/nginx", "PATH": "/nowhere"}


@pytest.mark.parametrize(("variable", "find"), PROGRAMS.items())
def test_what_a_variable_names_is_taken(variable: str, find: Callable[[Mapping[str, str]], str]) -> None:
    """A program that is somewhere else is found by its variable."""
    assert find({**NOWHERE, variable: sys.executable}) == sys.executable


@pytest.mark.parametrize("find", PROGRAMS.values())
def test_what_is_missing_skips_a_test(find: Callable[[Mapping[str, str]], str]) -> None:
    """A machine without the program runs all other tests, and says what to install."""
    with pytest.raises(pytest.skip.Exception, match="apt-get install"):
        find(NOWHERE)


@pytest.mark.parametrize("find", PROGRAMS.values())
def test_what_is_missing_fails_a_test_in_ci(find: Callable[[Mapping[str, str]], str]) -> None:
    """Where no person reads what was skipped, nothing is."""
    with pytest.raises(pytest.fail.Exception, match="apt-get install"):
        find({**NOWHERE, "CI": "true"})
