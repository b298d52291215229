"""The examples as a person runs them: over HTTP with the playground, and on the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from examples.guided import choose
from examples.models import Build, Model, ask, make_app, open_model
from langchain_core.utils.function_calling import convert_to_openai_tool
from openai import AsyncOpenAI

from examples import approval, article_writer, banking_agent, plain_generator, rag, responses_tools
from tests.support.process import ServerProcess, free_port
from tests.support.server import serve
from unspool.client import AsyncClient, AsyncRunStream
from unspool.errors import RunConflict
from unspool.events import CitationPart, Message, Token, ToolArgs, ToolPart, ToolStart, Transcript
from unspool.local import LocalModel
from unspool.testing import FakeOpenAI
from unspool.testing.script import CallTool, Say

ROOT = Path(__file__).parents[2]
SECONDS = 100.0
QUESTION = "What is the ROI of 10000 dollars at 5 percent over 10 years?"


@pytest.fixture
def embedded(real_model: LocalModel) -> Callable[[], AbstractAsyncContextManager[Model]]:
    """The embedded model, started once for all of these tests."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Model]:
        async with AsyncOpenAI(base_url=real_model.base_url, api_key="none", max_retries=0) as client:
            yield Model(name=real_model.name, client=client, embedded=True)

    return opened


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeOpenAI], AbstractAsyncContextManager[Model]]:
    """What ``--model big`` opens, where the environment says that ``server`` is the provider."""

    def opened(server: FakeOpenAI) -> AbstractAsyncContextManager[Model]:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "secret")
        return open_model("big")

    return opened


Embedded = Callable[[], AbstractAsyncContextManager[Model]]
Provider = Callable[[FakeOpenAI], AbstractAsyncContextManager[Model]]


@asynccontextmanager
async def _serving(build: Build, model: AbstractAsyncContextManager[Model]) -> AsyncIterator[AsyncClient]:
    with anyio.fail_after(SECONDS):
        async with serve(make_app("An example", build, model)) as url, AsyncClient(f"{url}/agent") as client:
            yield client


async def _told(stream: AsyncRunStream) -> Transcript:
    async with stream:
        async for _ in stream:
            pass
        return stream.transcript


async def _begins_to_talk(client: AsyncClient, question: str) -> None:
    """It answers with text and no tool. Stopped after some words: a small model can talk for long."""
    async with client.stream(question) as stream:
        tokens = 0
        async for event in stream:
            assert not isinstance(event, ToolStart)
            tokens += isinstance(event, Token)
            if tokens == 5:
                await _stop(client, stream)
        assert tokens >= 5
        assert stream.transcript.status in {"cancelled", "completed"}


async def _stop(client: AsyncClient, stream: AsyncRunStream) -> None:
    with suppress(RunConflict):  # on a busy machine it may have said all by now
        await client.cancel(stream.run_id)


def _said(transcript: Transcript) -> list[Message]:
    return [message for message in transcript.messages if message.role == "assistant"]


def _tools(transcript: Transcript) -> list[ToolPart]:
    return [part for message in _said(transcript) for part in message.parts if isinstance(part, ToolPart)]


def _citations(message: Message) -> list[CitationPart]:
    return [part for part in message.parts if isinstance(part, CitationPart)]


def _asked(server: FakeOpenAI) -> list[list[Mapping[str, Any]]]:
    return [request.body["messages"] for request in server.requests]


ROI = "10,000.00 at 5 % a year is 16,288.95 after 10 years: an ROI of 62.89 %."


@pytest.mark.local_model
async def test_the_bank_runs_its_tool_with_what_the_embedded_model_reads_from_the_question(embedded: Embedded) -> None:
    async with _serving(banking_agent.build, embedded()) as bank:
        transcript = await _told(bank.stream(QUESTION))
        (call,) = _tools(transcript)
        assert (call.name, call.status, call.result) == ("calculate_roi", "done", ROI)
        assert call.args == {"amount": 10000, "annual_percent": 5, "years": 10}
        assert _said(transcript)[-1].text == ROI
        assert transcript.usage is not None
        assert transcript.usage.output_tokens > 10

        await _begins_to_talk(bank, "Who are you?")


async def test_the_embedded_model_is_offered_no_tools_but_a_form_to_fill_in() -> None:
    fragments = ['{"amount": 10000, "annual', '_percent": 5, "years": 10}']
    with FakeOpenAI([Say(*fragments)]) as server:

        @asynccontextmanager
        async def small() -> AsyncIterator[Model]:
            async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as client:
                yield Model(name="small", client=client, embedded=True)

        async with _serving(banking_agent.build, small()) as bank, bank.stream(QUESTION, thread_id="t") as stream:
            args = [event.text async for event in stream if isinstance(event, ToolArgs)]
            assert args == fragments
            assert _said(stream.transcript)[-1].text == ROI
            await _told(bank.stream("Thanks", thread_id="t"))
    (filled, chatted) = (request.body for request in server.requests)
    schema = convert_to_openai_tool(banking_agent.calculate_roi)["function"]["parameters"]
    assert filled["response_format"]["json_schema"] == {"name": "calculate_roi", "schema": schema}
    assert "tools" not in filled
    assert filled["messages"][-1]["content"] == QUESTION
    assert len(filled["messages"]) == 1 + 2 * 4, "four examples and the question"
    assert [message["role"] for message in chatted["messages"]] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize("example", [banking_agent, approval, responses_tools])
def test_the_questions_that_show_how_to_fill_in_a_tools_arguments_choose_that_tool(example: Any) -> None:
    for hint in example.HINTS:
        assert [choose(example.HINTS, question) for question, _ in hint.shots] == [hint] * len(hint.shots)


def test_a_loan_is_paid_back_in_equal_payments() -> None:
    pay = banking_agent.monthly_payment.invoke
    assert pay({"loan": 20000, "annual_percent": 6, "years": 5}).endswith(" costs 386.66 a month.")
    assert pay({"loan": 1200, "annual_percent": 0, "years": 1}).endswith(" costs 100.00 a month.")


async def test_the_bank_lets_a_provider_choose_its_tools_and_remembers_the_conversation(provider: Provider) -> None:
    call = CallTool("calculate_roi", '{"amount": 10000, "annual', '_percent": 5, "years": 10}', call_id="c1")
    with FakeOpenAI([call], [Say("You get ", "62.89 %.")]) as server:
        async with _serving(banking_agent.build, provider(server)) as bank:
            transcript = await _told(bank.stream(QUESTION, thread_id="t"))
            assert [(part.call_id, part.name, part.result) for part in _tools(transcript)] == [
                ("c1", "calculate_roi", ROI)
            ]
            assert [message.text for message in _said(transcript)] == ["", "You get 62.89 %."]
            await _told(bank.stream("Thanks", thread_id="t"))
    assert server.requests[0].headers["authorization"] == "Bearer secret"
    assert [tool["function"]["name"] for tool in server.requests[0].body["tools"]] == [
        "calculate_roi",
        "monthly_payment",
    ]
    assert (server.requests[1].body["model"], _asked(server)[1][-1]["content"]) == ("big", ROI)
    roles = [message["role"] for message in _asked(server)[2]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_an_article_is_written_in_three_steps_that_build_on_each_other(provider: Provider) -> None:
    with FakeOpenAI(answer=lambda request: [Say(f"<{request.body['messages'][-1]['content']}>")]) as server:
        async with _serving(article_writer.build, provider(server)) as writer:
            transcript = await _told(writer.stream("rain"))
    assert [step.name for step in transcript.steps] == ["brainstorm", "outline", "article"]
    assert all(step.done for step in transcript.steps)
    ideas = "<List three ideas for an article about rain.>"
    outline = f"<Write the headings of an article about:\n{ideas}>"
    article = f"<Write a short article about rain. Its headings are:\n{outline}>"
    assert [(message.name, message.text) for message in _said(transcript)] == [
        ("brainstorm", ideas),
        ("outline", outline),
        ("article", article),
    ]
    assert (transcript.state["ideas"], transcript.state["outline"]) == (ideas, outline)


@pytest.mark.local_model
async def test_the_embedded_model_begins_an_article_with_its_own_ideas_and_outline(embedded: Embedded) -> None:
    """Stopped where the third step has begun to write, which takes long on a busy machine."""
    async with _serving(article_writer.build, embedded()) as writer, writer.stream("the sea") as stream:
        async for event in stream:
            if isinstance(event, Token) and len(_said(stream.transcript)) == 3:
                await _stop(writer, stream)
        transcript = stream.transcript
    assert [message.name for message in _said(transcript)] == ["brainstorm", "outline", "article"]
    assert [transcript.state["ideas"], transcript.state["outline"]] == [m.text for m in _said(transcript)[:2]]
    assert all(len(message.text) > 40 for message in _said(transcript)[:2])


RECONNECT = "How does a browser resume an event stream after it lost the connection?"


@pytest.mark.local_model
async def test_the_embedded_model_answers_with_sentences_of_the_nearest_passage_and_cites_it(
    embedded: Embedded,
) -> None:
    async with _serving(rag.build, embedded()) as texts:
        transcript = await _told(texts.stream(RECONNECT))
    (search,) = _tools(transcript)
    nearest = search.result[0]
    assert nearest["title"] == "Server-sent events"
    answer = _said(transcript)[-1]
    sentences = [found.group() for found in rag.SENTENCE.finditer(answer.text)]
    assert sentences
    assert all(sentence in nearest["text"] for sentence in sentences)
    assert [(cited.title, cited.text, answer.text[cited.start : cited.end]) for cited in _citations(answer)] == [
        (nearest["title"], nearest["text"], sentence) for sentence in sentences
    ]


async def test_each_sentence_of_a_provider_cites_the_passage_nearest_to_it_if_one_is_near(provider: Provider) -> None:
    near = "The browser connects again and sends the id of the last message it got, as Last-Event-ID over HTTP/1.1."
    other = "HTTP/1.1 browsers allow six connections to one host, and each stream takes one."
    with FakeOpenAI([Say(near, " Bananas are yellow! ", other)]) as server:
        async with _serving(rag.build, provider(server)) as texts:
            transcript = await _told(texts.stream(RECONNECT))
    (search,) = _tools(transcript)
    answer = _said(transcript)[-1]
    first, second = search.result[:2]
    assert [(cited.text, answer.text[cited.start : cited.end]) for cited in _citations(answer)] == [
        (first["text"], near),
        (second["text"], other),
    ]
    (prompt,) = _asked(server)[0]
    assert all(passage["text"] in prompt["content"] for passage in search.result)
    assert transcript.usage is not None


def test_the_search_finds_the_passage_that_answers() -> None:
    index = rag.Index(rag.TEXTS)
    for question, expected in [
        ("What is the difference between no-store and no-cache?", "The directive no-store"),
        ("Why do readers not block the writer in WAL mode?", "Readers look into the log"),
        ("What is a checkpoint in SQLite?", "A checkpoint copies the pages"),
        ("What is backpressure?", "Backpressure is what"),
    ]:
        assert index.nearest(question, index.passages, 1)[0][1].text.startswith(expected)


DELETE = [CallTool("delete_file", '{"name": "draft.txt"}')]


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


ALL = {"draft.txt", "notes.txt", "server.log"}


@pytest.mark.parametrize(
    ("decision", "left"),
    [
        ({"type": "approve"}, ALL - {"draft.txt"}),
        ({"type": "reject"}, ALL),
        (
            {"type": "edit", "edited_action": {"name": "delete_file", "args": {"name": "notes.txt"}}},
            ALL - {"notes.txt"},
        ),
    ],
    ids=["approve", "reject", "edit"],
)
async def test_a_file_is_deleted_as_the_person_decides(
    provider: Provider, tmp_path: Path, decision: Mapping[str, Any], left: set[str]
) -> None:
    with FakeOpenAI(DELETE, [Say("As you say.")]) as server:
        async with _serving(partial(approval.build_in, tmp_path), provider(server)) as files:
            asked = files.stream("Delete the draft", thread_id="t")
            transcript = await _told(asked)
            assert transcript.status == "interrupted"
            assert [interrupt.value["action_requests"][0]["args"] for interrupt in transcript.interrupts] == [
                {"name": "draft.txt"}
            ]
            assert _files(tmp_path) == ALL, "nothing happens before the person has decided"
            answered = await _told(files.resume(asked.run_id, {"decisions": [decision]}))
            assert (answered.status, _said(answered)[-1].text) == ("completed", "As you say.")
    assert _files(tmp_path) == left


async def test_a_model_cannot_delete_what_is_not_in_the_folder(provider: Provider, tmp_path: Path) -> None:
    folder, secret = tmp_path / "folder", tmp_path / "secret.txt"
    folder.mkdir()
    secret.write_text("x")
    with FakeOpenAI([CallTool("delete_file", '{"name": "../secret.txt"}')], [Say("Hm.")]) as server:
        async with _serving(partial(approval.build_in, folder), provider(server)) as files:
            asked = files.stream("Delete it", thread_id="t")
            await _told(asked)
            await _told(files.resume(asked.run_id, {"decisions": [{"type": "approve"}]}))
    assert secret.exists()
    assert _asked(server)[1][-1]["content"] == "There is no file called ../secret.txt."


@pytest.mark.local_model
async def test_the_embedded_model_asks_before_it_deletes_and_takes_no_for_an_answer(
    embedded: Embedded, tmp_path: Path
) -> None:
    async with _serving(partial(approval.build_in, tmp_path), embedded()) as files:
        for number, (decision, answer) in enumerate(
            [("reject", "That was not done."), ("approve", "notes.txt is deleted.")]
        ):
            asked = files.stream("Please delete notes.txt.", thread_id=f"t{number}")
            assert [part.args for part in _tools(await _told(asked))] == [{"name": "notes.txt"}]
            answered = await _told(files.resume(asked.run_id, {"decisions": [{"type": decision}]}))
            assert _said(answered)[-1].text == answer
        listed = await _told(files.stream("Which files are there?", thread_id="t2"))
        assert _said(listed)[-1].text == "draft.txt, server.log"


async def test_the_generator_shows_its_progress_uses_its_clock_and_remembers(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_generator, "look_at_the_clock", lambda: "12:34 UTC")
    with FakeOpenAI([Say("Rain is ", "water.")]) as server:
        async with _serving(plain_generator.build, provider(server)) as agent:
            transcript = await _told(agent.stream("What time is it, and what is rain?", thread_id="t"))
            assert [(part.name, part.args, part.result) for part in _tools(transcript)] == [
                ("clock", {"zone": "UTC"}, "12:34 UTC")
            ]
            assert _said(transcript)[-1].text == "It is 12:34 UTC. Rain is water."
            assert [data.value for data in transcript.data] == [{"done": 2, "of": 2, "now": "done"}]
            assert not _tools(await _told(agent.stream("And sometimes?", thread_id="t")))
    assert _asked(server)[1] == [
        {"role": "user", "content": "What time is it, and what is rain?"},
        {"role": "assistant", "content": "It is 12:34 UTC. Rain is water."},
        {"role": "user", "content": "And sometimes?"},
    ]


@pytest.mark.local_model
async def test_the_embedded_model_fills_in_the_arguments_of_plain_functions(embedded: Embedded) -> None:
    async with _serving(responses_tools.build, embedded()) as agent:
        transcript = await _told(agent.stream("How many days are there between 2025-03-01 and 2026-03-01?"))
        assert [(part.args, part.result) for part in _tools(transcript)] == [
            ({"first": "2025-03-01", "second": "2026-03-01"}, "From 2025-03-01 to 2026-03-01 it is 365 days.")
        ]
        assert _said(transcript)[-1].text == "From 2025-03-01 to 2026-03-01 it is 365 days."
        await _begins_to_talk(agent, "What is rain?")


async def test_a_provider_calls_plain_functions_side_by_side(provider: Provider) -> None:
    calls = [
        CallTool("convert", '{"value": 26.2, "unit": "miles",', ' "to": "kilometres"}'),
        CallTool("days_between", '{"first": "2025-03-01", "second": "2026-03-01"}'),
    ]
    with FakeOpenAI(calls, [Say("Both ", "done.")]) as server:
        async with _serving(responses_tools.build, provider(server)) as agent:
            transcript = await _told(agent.stream("Convert, and count"))
    results = {
        "convert": "26.2 miles are 42.16 kilometres.",
        "days_between": "From 2025-03-01 to 2026-03-01 it is 365 days.",
    }
    assert {part.name: part.result for part in _tools(transcript)} == results
    assert _said(transcript)[-1].text == "Both done."
    assert [request.path for request in server.requests] == ["/v1/responses"] * 2
    told = [item["output"] for item in server.requests[1].body["input"] if item.get("type") == "function_call_output"]
    assert told == list(results.values())


def test_units_are_converted_and_a_length_is_no_weight() -> None:
    assert responses_tools.convert(10, "pounds", "kilograms") == "10 pounds are 4.54 kilograms."
    assert responses_tools.convert(10, "kilometres", "miles") == "10 kilometres are 6.21 miles."
    assert responses_tools.convert(10, "miles", "pounds") == "miles cannot be converted to pounds."


@pytest.mark.parametrize(("typed", "deleted"), [("y", True), ("no", False)])
async def test_on_the_terminal_a_person_is_asked_before_a_file_is_deleted(
    provider: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    deleted: bool,
) -> None:
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return typed

    monkeypatch.setattr("builtins.input", answer)
    with FakeOpenAI(DELETE, [Say("Very ", "well.")]) as server, anyio.fail_after(SECONDS):
        await ask(partial(approval.build_in, tmp_path), provider(server), "Delete it")
    assert asked == ["Run delete_file {'name': 'draft.txt'}? [y/n] "]
    assert _files(tmp_path) == (ALL - {"draft.txt"} if deleted else ALL)
    printed = capsys.readouterr().out
    assert ("[→ draft.txt is deleted.]" in printed) is deleted
    assert printed.endswith("files: Very well.\n")


@pytest.mark.local_model
def test_without_options_an_example_starts_the_embedded_model_and_ends_it_when_it_has_answered() -> None:
    command = [sys.executable, "-W", "error", "-m", "examples.plain_generator", "--ask", "What time is it?"]
    env = {**os.environ, "OPENAI_BASE_URL": "http://127.0.0.1:9"}  # where nobody answers
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "[clock {'zone': 'UTC'}]" in done.stdout
    assert done.stdout.endswith("[progress: {'done': 2, 'of': 2, 'now': 'done'}]\n\n")


async def test_an_example_serves_the_playground_and_says_which_model_it_has(tmp_path: Path) -> None:
    port = free_port()
    with FakeOpenAI([Say("Hello")]) as provider, anyio.fail_after(SECONDS):
        server = ServerProcess(
            ["-m", "examples.plain_generator", "--model", "big", "--port", str(port)],
            port=port,
            ready="/agent/schemas",
            env={"OPENAI_BASE_URL": provider.base_url, "PYTHONPATH": str(ROOT)},
            log=tmp_path / "log",
        )
        try:
            await server.start()
            async with httpx.AsyncClient(base_url=server.url) as http:
                assert (await http.get("/")).is_success
                assert "big" in (await http.get("/config.json")).text
            async with AsyncClient(f"{server.url}/agent") as client:
                assert await client.invoke("hi") == "Hello"
            assert await server.stop() == -signal.SIGTERM, "uvicorn ends by the signal, once everything is closed"
        finally:
            server.end()
