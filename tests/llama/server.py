"""Run llama.cpp's server in a process of its own: `python -m tests.llama.server '{"model": "m.gguf", …}'`."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def llama(model: Path, *, context: int = 16_384, key: str = "", is_by_chance: bool = False) -> Iterator[str]:
    """Serve a model while the context is open; yield the base URL, with `/v1`.

    `is_by_chance`: tokens are drawn by their odds whatever temperature a request asks for, always in the same order.
    """
    options = {"model": str(model), "context": context, "key": key, "is_by_chance": is_by_chance}
    command = [sys.executable, "-m", "tests.llama.server", json.dumps(options)]
    with subprocess.Popen(  # noqa: S603 - this very file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://"), "llama.cpp did not start"
            yield f"{address}/v1"
        finally:
            process.kill()


def main(options: dict[str, Any]) -> None:
    """Serve until the process is ended, or its parent is gone."""
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.n_ctx, params.n_parallel, params.port = options["context"], 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 4
    params.warmup, params.use_jinja, params.ui = False, True, False
    params.endpoint_slots = params.endpoint_props = True
    params.sampling.seed = 1
    if options["is_by_chance"]:
        params.sampling.samplers, params.sampling.top_k = "top_k", 0
    if options["key"]:
        params.api_keys = [options["key"]]
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()  # ends with the parent


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
