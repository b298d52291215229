"""What LangServe does not do, or what its clients do not see: leaving, waiting, the playground, LangSmith."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import anyio
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableGenerator, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import create_model
from typing_extensions import TypedDict

from tests.support.server import serve
from unspool.langserve import APIHandler, add_routes, streams
from unspool.langserve.lzstring import decompress
from unspool.langserve.serialization import WellKnownLCSerializer
from unspool.testing.langchain import ScriptedChatModel, done, text

RUN = "00000000-0000-4000-8000-000000000001"


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    with anyio.fail_after(20):
        async with serve(app) as url, httpx.AsyncClient(base_url=url, timeout=10) as client:
            yield client


def app_of(runnable: Runnable[Any, Any], **options: Any) -> FastAPI:
    app = FastAPI()
    add_routes(app, runnable, path="/r", **options)
    return app


def model() -> ScriptedChatModel:
    return ScriptedChatModel.of([*text("Hel", "lo"), *done()])


class Waiting:
    """A runnable that waits for ever, and knows whether it was cancelled."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.cancelled = anyio.Event()

    async def wait(self, _: Any) -> Any:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()

    async def wait_between(self, inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in inputs:
            yield "one"
            await self.wait(None)


@pytest.mark.parametrize("route", ["invoke", "batch", "stream", "stream_events"])
async def test_a_client_that_leaves_cancels_its_run(route: str) -> None:
    waiting = Waiting()
    runnable: Any = RunnableLambda(waiting.wait)
    if route.startswith("stream"):
        runnable = RunnableGenerator(waiting.wait_between)
    body = {"inputs": [1]} if route == "batch" else {"input": 1}
    async with served(app_of(runnable)) as client:

        async def ask() -> None:
            await client.post(f"/r/{route}", json=body)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await waiting.begun.wait()
            tasks.cancel_scope.cancel()
        await waiting.cancelled.wait()


async def test_a_chunk_goes_out_at_once_where_the_runnable_blocks_the_loop() -> None:
    async def blocks() -> AsyncIterator[str]:
        for word in ("one", "two", "three"):
            yield word
            time.sleep(0.05)  # noqa: ASYNC251 - the mistake that is meant

    sent: list[tuple[float, bytes]] = []

    async def send(message: Any) -> None:
        sent.append((time.monotonic(), message.get("body", b"")))

    async def receive() -> Any:
        await anyio.sleep_forever()

    response = streams.StreamResponse(blocks(), WellKnownLCSerializer().dumps, lead=None)
    await response({}, receive, send)
    seen = [at for at, body in sent if b"event: data" in body]
    assert [body.count(b"event: data") for _, body in sent if b"event: data" in body] == [1, 1, 1]
    assert seen[1] - seen[0] > 0.04
    assert seen[2] - seen[1] > 0.04


async def test_fast_chunks_go_out_together_and_none_is_lost() -> None:
    async def chunks() -> AsyncIterator[str]:
        for number in range(2000):
            yield f"{number:0500}"
            await anyio.lowlevel.checkpoint()

    sent: list[bytes] = []

    async def send(message: Any) -> None:
        await anyio.sleep(0.02)  # a client that does not read as fast
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await anyio.sleep_forever()

    await streams.StreamResponse(chunks(), WellKnownLCSerializer().dumps, lead=None)({}, receive, send)
    data = b"".join(sent).decode()
    found = [int(line[7:-1]) for line in data.split("\r\n") if line.startswith("data: ")]
    assert found == list(range(2000))
    assert data.endswith("event: end\r\n\r\n")
    assert len(sent) < 200
    assert max(map(len, sent)) < streams.BUFFER_BYTES + 1000


async def test_a_silent_stream_is_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PING_SECONDS", 0.05)
    waiting = Waiting()
    async with served(app_of(RunnableGenerator(waiting.wait_between))) as client:
        async with client.stream("POST", "/r/stream", json={"input": 1}) as response:
            seen = ""
            async for piece in response.aiter_text():
                seen += piece
                if seen.count(": ping - ") == 2:
                    break
    assert '"one"' in seen


async def test_plain_generators_run_on_every_route() -> None:
    def words(inputs: Iterator[str]) -> Iterator[str]:
        for given in inputs:
            yield from (f"{given}1 ", f"{given}2 ")

    def lambda_words(given: str) -> Any:
        yield from (f"{given}1 ", f"{given}2 ")

    for runnable in (RunnableGenerator(words), RunnableLambda(lambda_words), RunnableLambda(str) | words):
        async with served(app_of(runnable)) as client:
            assert (await client.post("/r/invoke", json={"input": "w"})).json()["output"] == "w1 w2 "
            assert (await client.post("/r/batch", json={"inputs": ["a"]})).json()["output"] == ["a1 a2 "]
            streamed = (await client.post("/r/stream", json={"input": "w"})).text
            assert 'data: "w1 "\r\n\r\nevent: data\r\ndata: "w2 "\r\n\r\nevent: end\r\n\r\n' in streamed
            assert '"chunk":"w2 "' in (await client.post("/r/stream_events", json={"input": "w"})).text


async def test_a_graph_with_a_checkpointer_is_called_with_the_thread_that_the_client_names() -> None:
    class State(TypedDict):
        seen: int

    built = StateGraph(State)
    built.add_node("count", lambda state: {"seen": cast("Any", state).get("seen", 0) + 1})
    built.add_edge(START, "count")
    built.add_edge("count", END)
    saver = InMemorySaver()
    async with served(app_of(built.compile(checkpointer=saver))) as client:
        body = {"input": {"seen": 1}, "config": {"configurable": {"thread_id": "t1", "checkpoint_ns": "x"}}}
        assert (await client.post("/r/invoke", json=body)).json()["output"] == {"seen": 2}
    assert {found.config.get("configurable", {})["thread_id"] for found in saver.list(None)} == {"t1"}


async def test_a_batch_calls_the_modifier_once_for_one_config_and_once_for_each_of_several() -> None:
    calls: list[dict[str, Any]] = []

    def modify(config: dict[str, Any], _: Request) -> dict[str, Any]:
        calls.append(config)
        return {**config, "tags": ["by server"]}

    def told(_: Any, config: RunnableConfig) -> Any:
        return config.get("tags")

    app = app_of(RunnableLambda(told), per_req_config_modifier=modify, config_keys=("run_id",))
    async with served(app) as client:
        one = await client.post("/r/batch", json={"inputs": [1, 2], "config": {"run_id": RUN}})
        assert one.json()["output"] == [["by server"], ["by server"]]
        first, second = one.json()["metadata"]["run_ids"]
        assert first == RUN != second
        assert len(calls) == 1
        await client.post("/r/batch", json={"inputs": [1, 2], "config": [{}, {}]})
        assert len(calls) == 3


class FakeLangSmith:
    """LangSmith's client, as far as the routes use it."""

    def __init__(self) -> None:
        self.fails = False
        self.given: list[Any] = []

    def create_presigned_feedback_token(self, _: Any, key: str) -> Any:
        if self.fails:
            raise ConnectionError("a secret")
        time.sleep(0.2)
        return SimpleNamespace(url=f"https://l/{key}", expires_at=datetime(2030, 1, 1, tzinfo=UTC))

    def create_feedback(self, run_id: Any, key: str, **fields: Any) -> Any:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        fields.pop("source_info")
        return SimpleNamespace(
            id=uuid.UUID(int=1), run_id=run_id, key=key, created_at=now, modified_at=now, correction=None, **fields
        )

    def create_feedback_from_token(self, token: Any, score: Any, **fields: Any) -> None:
        self.given.append((token, score, fields["metadata"]))

    def read_run_shared_link(self, _: Any) -> str | None:
        return None

    def share_run(self, run_id: Any) -> str:
        return f"https://l/{run_id}"


@pytest.fixture
def smith(monkeypatch: pytest.MonkeyPatch) -> FakeLangSmith:
    fake = FakeLangSmith()
    monkeypatch.setattr("unspool.langserve.feedback.Client", lambda: fake)
    monkeypatch.setattr("unspool.langserve.feedback.tracing_is_enabled", lambda: True)
    return fake


async def test_no_chunk_is_lost_while_the_feedback_token_is_made(smith: FakeLangSmith) -> None:
    async def words(inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
        async for _ in inputs:
            for index in range(4):
                yield f"w{index}"
                await anyio.sleep(0.02)

    tokens: Any = {"key_configs": [{"key": "k"}]}
    async with served(app_of(RunnableGenerator(words), token_feedback_config=tokens)) as client:
        told = (await client.post("/r/stream", json={"input": 1})).text
        events = [line[7:] for line in told.split("\r\n") if line.startswith("event: ")]
        assert events == ["metadata", *["data"] * 4, "end"]
        assert '"token_url": "https://l/k", "expires_at": "2030-01-01T00:00:00' in told
        logged = (await client.post("/r/stream_events", json={"input": 1})).text
        assert logged.startswith("event: metadata")
        answered = (await client.post("/r/invoke", json={"input": 1})).json()
        assert answered["metadata"]["feedback_tokens"][0]["key"] == "k"
        given = await client.post("/r/token_feedback", json={"token_or_url": "t", "score": 1, "metadata": {"a": 1}})
        assert (given.status_code, given.json()) == (200, None)
        assert smith.given == [("t", 1, {"a": 1, "from_langserve": True})]
        smith.fails = True
        broken = (await client.post("/r/stream", json={"input": 1})).text
        assert broken == 'event: error\r\ndata: {"status_code": 500, "message": "Internal Server Error"}\r\n\r\n'


@pytest.mark.usefixtures("smith")
async def test_feedback_and_trace_links_go_to_langsmith() -> None:
    app = app_of(RunnableLambda(str), enable_feedback_endpoint=True, enable_public_trace_link_endpoint=True)
    async with served(app) as client:
        answer = await client.post("/r/feedback", json={"run_id": RUN, "key": "good", "score": 1})
        assert answer.json()["run_id"] == RUN
        assert answer.json()["score"] == 1
        link = await client.put("/r/public_trace_link", json={"run_id": RUN})
        assert link.json() == {"public_url": f"https://l/{RUN}"}
        assert (await client.head("/r/feedback")).status_code == 200


async def test_without_langsmith_feedback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspool.langserve.feedback.tracing_is_enabled", lambda: False)
    async with served(app_of(RunnableLambda(str), enable_feedback_endpoint=True)) as client:
        assert (await client.post("/r/feedback", json={"run_id": RUN, "key": "k"})).status_code == 400
        assert (await client.post("/r/token_feedback", json={"token_or_url": "t"})).status_code == 400
        assert (await client.put("/r/public_trace_link", json={"run_id": RUN})).status_code == 404


# -- the playground -----------------------------------------------------------------------------------------------

# lz-string's own packing of {"configurable":{"template":"no {w}"}}
HASH = "N4Igxg9gdgZglgcwK4CcCGAjANgUxALlABccBbAByzRIJCggAJgB3AXxFdaA"


def asked(template: str = "say {w}") -> Runnable[Any, Any]:
    field = ConfigurableField(id="template")
    return PromptTemplate.from_template(template).configurable_fields(template=field) | RunnableLambda(
        lambda prompt: cast("Any", prompt).to_string()
    )


def test_a_config_hash_is_unpacked_and_what_is_none_is_refused() -> None:
    assert json.loads(decompress(HASH)) == {"configurable": {"template": "no {w}"}}
    for packed in ("", "%", "Izz", "nope"):
        with pytest.raises(ValueError, match="lz-string"):
            decompress(packed)


def test_a_config_hash_does_not_unpack_without_end() -> None:
    # Every code names the phrase that is just being made, so that each is longer by one than the last.
    bits = "00" + "10000110"
    phrases = 4
    for code in range(4, 700):
        bits += "".join(str(code >> power & 1) for power in range(phrases.bit_length()))
        phrases += 1
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$"
    packed = "".join(alphabet[int(bits[i : i + 6].ljust(6, "0"), 2)] for i in range(0, len(bits), 6))
    with pytest.raises(ValueError, match="too long"):
        decompress(packed)


async def test_the_playground_runs_the_runnable_with_the_config_of_its_address() -> None:
    router = APIRouter(prefix="/api")
    add_routes(router, asked(), path="/r")
    app = FastAPI()
    app.include_router(router)
    async with served(app) as client:
        for prefix, said in (("/api/r", "say x"), (f"/api/r/c/{HASH}", "no x")):
            config = (await client.get(f"{prefix}/playground/config.json")).json()
            agent = f"{prefix}/playground/{config['agents'][0]['url']}"
            answer = await client.post(f"{agent}/invoke", json={"input": {"w": "x"}})
            assert answer.json()["output"] == said
            started = await client.post(f"{agent}/runs", json={"input": {"w": "x"}})
            assert started.headers["location"] == f"{agent}/runs/{started.headers['unspool-run-id']}"
        refused = await client.post("/api/r/playground/agent/invoke", json={"input": {"other": 1}})
        assert refused.status_code == 422


async def test_an_interrupted_graph_goes_on_in_the_playground_with_the_config_of_the_server() -> None:
    class State(TypedDict):
        said: str

    def ask(_: State, config: RunnableConfig) -> State:
        answer: str = interrupt("sure?")
        return {"said": f"{answer} {(config.get('metadata') or {})['by']}"}

    built: Any = StateGraph(State)
    built.add_node("ask", ask)
    built.add_edge(START, "ask")
    built.add_edge("ask", END)

    def modify(config: dict[str, Any], _: Request) -> dict[str, Any]:
        return {**config, "metadata": {"by": "server"}}

    app = app_of(built.compile(checkpointer=InMemorySaver()), per_req_config_modifier=modify)
    async with served(app) as client:
        agent = "/r/playground/agent"
        await client.get("/r/playground/")
        asked_for = await client.post(f"{agent}/invoke", json={"input": {"said": ""}, "thread_id": "t"})
        assert asked_for.json()["status"] == "interrupted"
        await client.post(f"{agent}/runs/{asked_for.json()['run_id']}/resume", json={"answer": "yes"})
        newest = (await client.get(f"{agent}/runs")).json()["runs"][0]
        assert (await client.get(f"{agent}/runs/{newest['id']}")).json()["output"] == {"said": "yes server"}


async def test_the_playground_shows_nobody_what_others_asked() -> None:
    async with served(app_of(model())) as client:
        await client.get("/r/playground/")
        run = (await client.post("/r/playground/agent/invoke", json={"input": "hi"})).json()
        assert run["output"] == "Hello"
        assert len((await client.get("/r/playground/agent/runs")).json()["runs"]) == 1
        client.cookies.clear()
        assert (await client.get("/r/playground/agent/runs")).json()["runs"] == []
        assert (await client.get(f"/r/playground/agent/runs/{run['run_id']}")).status_code == 404


async def test_the_playground_is_behind_the_dependencies_and_the_modifier() -> None:
    def guard(x_key: str = Header("")) -> None:
        if x_key != "open":
            raise HTTPException(403)

    def modify(config: dict[str, Any], request: Request) -> dict[str, Any]:
        if request.headers.get("x-user") is None:
            raise HTTPException(401)
        return {**config, "configurable": {"template": request.headers["x-user"] + " {w}"}}

    app = app_of(asked(), dependencies=[Depends(guard)], per_req_config_modifier=modify)
    async with served(app) as client:
        agent, body = "/r/playground/agent", {"input": {"w": "x"}, "config": {"configurable": {"template": "bad"}}}
        for path in ("/r/playground/", "/r/playground/config.json", f"{agent}/runs", f"{agent}/schemas"):
            assert (await client.get(path)).status_code == 403
        client.headers["x-key"] = "open"
        for path in ("invoke", "stream", "runs", "batch"):
            assert (await client.post(f"{agent}/{path}", json=body)).status_code == 401
        assert (await client.get(f"{agent}/stream?input=x")).status_code in {404, 405}
        assert (await client.get(f"{agent}/runs")).json()["runs"] == []
        answer = await client.post(f"{agent}/invoke", json=body, headers={"x-user": "ann"})
        assert answer.json()["output"] == "ann x"


async def test_without_the_playground_there_is_no_agent_below_it() -> None:
    async with served(app_of(model(), disabled_endpoints=["playground"])) as client:
        assert (await client.get("/r/playground/")).status_code == 404
        assert (await client.post("/r/playground/agent/invoke", json={"input": "x"})).status_code == 404


def test_the_names_of_schemas_depend_on_nothing_but_the_app() -> None:
    def app_of_all(**inputs: Any) -> FastAPI:
        app = FastAPI()
        for name, kind in inputs.items():
            runnable = RunnableLambda(str).with_types(input_type=create_model("Question", text=(kind, ...)))
            add_routes(app, runnable, path=f"/{name}")
        return app

    alone = app_of_all(b=str).openapi()
    both = app_of_all(a=int, b=str).openapi()
    assert app_of_all(b=str).openapi() == alone
    assert both["components"]["schemas"].keys() > {"aInvokeRequest", "bInvokeRequest"}
    kinds: list[str] = []
    for name in "ab":
        body = both["components"]["schemas"][f"{name}InvokeRequest"]["properties"]["input"]
        asked_for = both["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        kinds.append(asked_for["properties"]["text"]["type"])
    assert kinds == ["integer", "string"]


def test_a_path_that_is_taken_is_named() -> None:
    app = app_of(RunnableLambda(str))
    with pytest.raises(ValueError, match="A runnable already exists at path: /r"):
        add_routes(app, RunnableLambda(str), path="/r")


async def test_a_hosted_server_says_so_in_the_metadata_of_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(_: Any, config: RunnableConfig) -> Any:
        return {key: value for key, value in (config.get("metadata") or {}).items() if "hosted" in key}

    async with served(app_of(RunnableLambda(told))) as client:
        assert (await client.post("/r/invoke", json={"input": 1})).json()["output"] == {}
        monkeypatch.setenv("HOSTED_LANGSERVE_ENABLED", "True")
        monkeypatch.setenv("HOSTED_LANGSERVE_GIT_REPO_PATH", "sub")
        assert (await client.post("/r/invoke", json={"input": 1})).json()["output"] == {
            "__langserve_hosted_git_ref": "",
            "__langserve_hosted_repo_subdirectory_path": "sub",
            "__langserve_hosted_repo_url": "",
            "__langserve_hosted_revision_id": "",
            "__langserve_hosted_is_hosted": "true",
        }


async def test_a_handler_takes_the_servers_own_config() -> None:
    handler = APIHandler(asked(), path="/own", config_keys=("configurable",))
    app = FastAPI()

    @app.post("/mine")
    async def mine(request: Request) -> Any:
        return await handler.invoke(request, server_config={"configurable": {"template": "server {w}"}})

    async with served(app) as client:
        body = {"input": {"w": "x"}, "config": {"configurable": {"template": "client {w}"}}}
        assert (await client.post("/mine", json=body)).json()["output"] == "server x"
