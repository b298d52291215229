"""The embedded model behind an OpenAI-compatible endpoint on loopback: a process of its own.

``python -m unspool.local.server PATH PORT`` prints its base URL on one line, and runs until its standard input
ends, as it does when its parent dies.
"""

from __future__ import annotations

import os
import sys
from typing import Any

MODEL_NAME = "smollm2-135m"
CONTEXT_TOKENS = 8192
SLOTS = 4
MAX_TOKENS = 512


def main(path: str, port: int) -> None:
    """Serve the weights at ``path``. Blocks for ever."""
    import xllamacpp as untyped

    xllamacpp: Any = untyped
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {MODEL_NAME}  # else the file's path is in every chunk
    params.n_ctx, params.n_parallel, params.n_predict = CONTEXT_TOKENS, SLOTS, MAX_TOKENS
    params.cpuparams.n_threads = 1  # two spin on each other's locks as soon as the machine is busy
    params.cpuparams_batch.n_threads = min(2, os.cpu_count() or 1)
    params.verbosity, params.ui, params.cors_origins, params.port = -1, False, "", port
    # For requests that set none. Without the penalty this model repeats itself.
    params.sampling.temp, params.sampling.top_p, params.sampling.penalty_repeat = 0.2, 0.9, 1.1
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}/v1\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # its threads do not end by themselves while a request is under way


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
