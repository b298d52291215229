"""The ``unspool`` command."""

from __future__ import annotations

import importlib.util
import sys


def main() -> None:
    """Run the command line; say what to install where that needs more than Unspool itself."""
    missing = [name for name in ("typer", "rich", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f'The unspool command needs {", ".join(missing)}: pip install "unspool[cli]"')
    from unspool.cli.app import app

    app()
