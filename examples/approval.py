"""A person decides before the agent deletes a file.

Run it with `python -m examples.approval`, and say "Delete draft.txt", or "Which files are there?". The page shows the
call that the agent wants to make: approve it, change it, or refuse it. The agent waits for as long as it takes.

Real: the files, in a new folder under the system's temporary one, and the deletion. With `--model` the model chooses
the tools. The embedded model cannot, so there code chooses the tool by a word of the question, and the model fills in
the file's name: see `guided.py`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, InterruptOnConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from examples.guided import Hint
from examples.guided_chat import chat_model
from examples.models import Model, run

SYSTEM = "You look after a folder of files. Use the tools; do not ask back, since a person approves each deletion."


def build(model: Model) -> Any:
    """The agent, in a folder of its own that holds three files."""
    return build_in(Path(tempfile.mkdtemp(prefix="unspool-approval-")), model)


def build_in(folder: Path, model: Model) -> Any:
    """The agent, for the files in ``folder``, which gets three to begin with."""
    for name in ("draft.txt", "notes.txt", "server.log"):
        (folder / name).write_text(f"This is {name}.\n")

    @tool
    def list_files() -> str:
        """Name the files in the folder."""
        return ", ".join(sorted(path.name for path in folder.iterdir())) or "The folder is empty."

    @tool
    def delete_file(name: str) -> str:
        """Delete one file of the folder, for ever."""
        if name not in {path.name for path in folder.iterdir()}:  # also what keeps it inside of the folder
            return f"There is no file called {name}."
        (folder / name).unlink()
        return f"{name} is deleted."

    asked_first = InterruptOnConfig(allowed_decisions=["approve", "edit", "reject"])
    return create_agent(
        chat_model(model, HINTS),
        [list_files, delete_file],
        system_prompt=SYSTEM,
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"delete_file": asked_first})],
        checkpointer=InMemorySaver(),
        name="files",
    )


HINTS = [
    Hint(
        tool="delete_file",
        when=r"\b(delete|remove)",
        shots=[
            ("Please delete report.pdf.", {"name": "report.pdf"}),
            ("Remove the file old-data.csv", {"name": "old-data.csv"}),
            ("I do not need todo.md any more, delete it", {"name": "todo.md"}),
            ("delete access.log", {"name": "access.log"}),
        ],
    ),
    Hint(tool="list_files", when=r"\b(files|list|folder)", shots=[("Which files are there?", {})]),
]

if __name__ == "__main__":
    run("Approval before a deletion", build)
