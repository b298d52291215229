"""Tool calls by the embedded model, which is too small to choose tools: code chooses, and the model fills in the form.

A real model chooses tools by itself and needs nothing of this. The embedded one ignores tools that it is offered. What
it can do is to copy values out of a question into JSON, if the JSON Schema of the tool's arguments constrains what it
may write, and some examples show how. The tools run for real, and the answer is their result, word for word: a model
of this size gets numbers wrong that it was just told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ARGUMENT_TOKENS = 100


@dataclass(frozen=True, kw_only=True)
class Hint:
    """When a tool is meant, and how its arguments are read from a question.

    Attributes:
        tool: Its name.
        when: A regular expression: a question that it matches is one for this tool.
        shots: Questions, and the arguments that they mean. Four are good, two are not enough.
    """

    tool: str
    when: str
    shots: Sequence[tuple[str, Mapping[str, Any]]]

    def prompt(self, question: str) -> list[Any]:
        """What the model is shown, so that it continues with the arguments that ``question`` means."""
        turns = [
            turn
            for asked, args in self.shots
            for turn in ({"role": "user", "content": asked}, {"role": "assistant", "content": json.dumps(args)})
        ]
        return [*turns, {"role": "user", "content": question}]

    def form(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """What a request needs beside its prompt, so that the model can write nothing but such arguments."""
        form = {"type": "json_schema", "json_schema": {"name": self.tool, "schema": schema}}
        return {"temperature": 0, "extra_body": {"response_format": form, "repeat_penalty": 1.0}}


def choose(hints: Sequence[Hint], question: str) -> Hint | None:
    """The first that is for ``question``."""
    return next((hint for hint in hints if re.search(hint.when, question, re.IGNORECASE)), None)
