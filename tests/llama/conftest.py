from __future__ import annotations

import importlib.util
import os
import platform
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.llama.model_file import ANSWERS, EMPTY, ENDLESS, write_model
from tests.llama.server import llama

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ODDS = {"answers": ANSWERS, "empty": EMPTY, "endless": ENDLESS}


@pytest.fixture(scope="session")
def llama_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """The address of a real llama.cpp whose model gives such answers; each is started once."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("xllamacpp is for Linux on x86-64")
    if not all(map(importlib.util.find_spec, ("xllamacpp", "gguf"))):
        what = "xllamacpp and gguf are not installed"
        pytest.fail(what) if os.environ.get("CI") == "true" else pytest.skip(what)
    folder = tmp_path_factory.mktemp("llama")
    running: dict[str, str] = {}
    with ExitStack() as stack:

        def address(answers: str = "answers", **options: Any) -> str:
            name = f"{answers} {options}"
            if name not in running:
                model = folder / f"{answers}.gguf"
                write_model(model, _ODDS[answers])
                running[name] = stack.enter_context(llama(model, is_by_chance=answers == "answers", **options))
            return running[name]

        yield address
