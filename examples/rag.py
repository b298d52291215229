"""Answers from a folder of texts, with citations that say where each sentence comes from.

Run it with `python -m examples.rag`, and ask about what is in `examples/texts`: event logs, server-sent events, HTTP
caching, SQLite's write-ahead log, backpressure.

Real: the search (embeddings by wordllama, whose weights come with its package), the answer, and the citations. These
are made afterwards: each sentence is compared with the passages that were found, and cites the nearest. So a citation
says "this is the passage closest to it", and not that the model got it right. With `--model` the answer is in the
model's own words. The embedded one would make things up; so a grammar lets it do nothing but choose one or two
sentences of the nearest passage, which it often does well.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from examples.models import Model, run
from unspool import Call
from unspool.events import AnyEvent, Citation, MessageEnd, MessageStart, Token, ToolCall, ToolEnd, ToolStart, Usage

TEXTS = Path(__file__).parent / "texts"
PASSAGES = 3
SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|\Z)", re.DOTALL)
NEAR_ENOUGH = 0.5
"""Cosine of a sentence and the passage that it cites."""


class Passage(NamedTuple):
    """A paragraph of a text."""

    title: str
    text: str


class Index:
    """The paragraphs of all texts in a folder, and what they mean: one unit vector each."""

    def __init__(self, folder: Path) -> None:
        import wordllama  # type: ignore[import-untyped]  # here, since importing it configures logging

        # Its tokenizer is in the package, too, but not where it looks first; so nothing is downloaded.
        package = Path(wordllama.__file__).parent
        self._words = wordllama.WordLlama.load(cache_dir=package, disable_download=True)
        self.passages = [passage for file in sorted(folder.glob("*.md")) for passage in _passages(file.read_text())]
        self._vectors = self._embed([passage.text for passage in self.passages])

    def nearest(self, text: str, among: Sequence[Passage], count: int) -> list[tuple[float, Passage]]:
        """The passages nearest to ``text``, with their cosine, the nearest first."""
        rows = [self.passages.index(passage) for passage in among]
        scores = self._vectors[rows] @ self._embed([text])[0]
        return [(float(scores[i]), among[i]) for i in np.argsort(-scores)[:count]]

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(self._words.embed(texts, norm=True), dtype=np.float32)


def build(model: Model) -> Any:
    """The agent, with an index of the texts."""
    index = Index(TEXTS)

    async def agent(question: str, call: Call) -> AsyncGenerator[AnyEvent, None]:
        call_id, message_id = f"{call.run_id}-search", f"{call.run_id}-answer"
        yield ToolStart(call_id, "search_texts")
        yield ToolCall(call_id, "search_texts", {"query": question})
        found = index.nearest(question, index.passages, PASSAGES)
        yield ToolEnd(call_id, [{"score": round(score, 2), **passage._asdict()} for score, passage in found])
        passages = [passage for _, passage in found]

        yield MessageStart(message_id)
        said: list[str] = []
        async for event in _answer(model, _request(model, question, passages), message_id):
            if isinstance(event, Token):
                said.append(event.text)
            yield event
        for citation in _citations(index, "".join(said), passages, message_id):
            yield citation
        yield MessageEnd(message_id)

    return agent


async def _answer(model: Model, request: Mapping[str, Any], message_id: str) -> AsyncGenerator[AnyEvent, None]:
    stream = await model.client.chat.completions.create(
        model=model.name, temperature=0, stream=True, stream_options={"include_usage": True}, **request
    )
    async with stream:
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    yield Token(message_id, choice.delta.content)
            if chunk.usage is not None:
                used = chunk.usage
                yield Usage(used.prompt_tokens, used.completion_tokens, used.total_tokens, model=chunk.model)


def _request(model: Model, question: str, passages: Sequence[Passage]) -> dict[str, Any]:
    """What the model is asked, and how it may answer."""
    nearest = passages[0].text
    read = nearest if model.embedded else "\n\n".join(passage.text for passage in passages)
    prompt = f"Text: {read}\n\nQuestion: {question}\nAnswer from the text, in one or two sentences:"
    request: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 500}
    if model.embedded:
        choices = " | ".join(json.dumps(found.group()) for found in SENTENCE.finditer(nearest))
        grammar = f'root ::= sentence (" " sentence)?\nsentence ::= {choices}'
        request["extra_body"] = {"grammar": grammar, "repeat_penalty": 1.0}
    return request


def _citations(index: Index, answer: str, passages: Sequence[Passage], message_id: str) -> list[Citation]:
    """The nearest passage of each sentence that has one near enough."""
    citations: list[Citation] = []
    for sentence in SENTENCE.finditer(answer):
        score, passage = index.nearest(sentence.group(), passages, 1)[0]
        if score >= NEAR_ENOUGH:
            start, end = sentence.span()
            citations.append(Citation(message_id, title=passage.title, text=passage.text, start=start, end=end))
    return citations


def _passages(text: str) -> list[Passage]:
    title, *paragraphs = text.strip().split("\n\n")
    return [Passage(title.removeprefix("# "), paragraph) for paragraph in paragraphs]


if __name__ == "__main__":
    run("Answers from texts", build)
