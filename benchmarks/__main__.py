"""``make bench``: measure, print the table of ratios, write JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import protocols, sources
from benchmarks.measure import Server, http, idle_bytes, median, run_load, serving
from benchmarks.servers import TokenModel


class Size(NamedTuple):
    """How much work. ``--quick`` does little, and proves only that it is the right work."""

    tokens: int = 20_000
    repeats: int = 5
    streams: int = 200
    seconds: int = 6
    followers: int = 2000
    long_run: int = 100_000
    source_tokens: int = 3000


QUICK = Size(tokens=500, repeats=1, streams=5, seconds=1, followers=20, long_run=2000, source_tokens=50)


Step = Callable[[Size, dict[str, Any]], None]
"""Measures something, prints it, and puts it into the results."""


class Row(NamedTuple):
    """One line of the table: a ratio, and what it has to reach."""

    what: str
    value: float
    bar: float
    aim: float
    at_least: bool

    @property
    def verdict(self) -> str:
        """Whether it reaches the aim, the bar, or neither."""

        def reaches(goal: float) -> bool:
            return self.value >= goal if self.at_least else self.value <= goal

        return "aim" if reaches(self.aim) else "met" if reaches(self.bar) else "NOT MET"


def _ours_request(count: int, rate: float = 0) -> str:
    return http("POST", "/agent/stream", {"input": {"n": count, "rate": rate}})


def _peer_request(count: int, rate: float = 0) -> str:
    return http("GET", f"/stream?{f'rate={rate}&' if rate else ''}n={count}")


def _chat_request(path: str, count: int) -> str:
    return http("POST", path, {"input": {"messages": [{"role": "user", "content": str(count)}]}})


def throughput(size: Size, results: dict[str, Any]) -> None:
    """One unthrottled stream, each app in turn, several times over."""
    count = size.tokens
    jobs = {
        "raw": ("raw", _peer_request(count)),
        "starlette": ("starlette", _peer_request(count)),
        "fastapi_sse": ("fastapi_sse", _peer_request(count)),
        "sse_starlette": ("sse_starlette", _peer_request(count)),
        "ours_memory": ("ours_memory", _ours_request(count)),
        "ours_sqlite": ("ours_sqlite", _ours_request(count)),
        "ours_chat": ("ours_memory", _chat_request("/chat/stream", count)),
        "langserve_chat": ("langserve", http("POST", "/chat/stream", {"input": str(count)})),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    with ExitStack() as stack:
        servers = {app: stack.enter_context(serving(app)) for app in {app for app, _ in jobs.values()}}
        for _ in range(size.repeats + 1):  # the first is the warm-up
            for name, (app, request) in jobs.items():
                runs[name].append(_checked(servers[app], request, count))
    for name, measured in runs.items():
        kept = measured[1:]
        results[name] = {
            "tokens_per_second": median([run["tokens"] / run["seconds"] for run in kept]),
            "cpu_us_per_token": median([run["cpu_us_per_token"] for run in kept]),
        }
        print(
            f"  {name:16} {results[name]['tokens_per_second']:12,.0f} tokens/s  "
            f"{results[name]['cpu_us_per_token']:8.2f} µs CPU/token",
            flush=True,
        )


def _checked(server: Server, request: str, count: int) -> dict[str, float]:
    marker = "token " if server.app != "langserve" else '"content":"token '
    result = run_load(server, request, marker=marker)
    if result["tokens"] != count:
        sys.exit(f"{server.app} sent {result['tokens']:.0f} tokens instead of {count}")
    return result


def bare_model(size: Size, results: dict[str, Any]) -> None:
    """What ``model.astream`` takes by itself."""

    async def once() -> float:
        began = time.process_time()
        count = 0
        async for chunk in TokenModel().astream(str(size.tokens)):
            count += bool(chunk.content)
        if count != size.tokens:
            sys.exit("the model did not say what it was asked for")
        return (time.process_time() - began) / size.tokens * 1e6

    results["bare_model"] = {"cpu_us_per_token": median([asyncio.run(once()) for _ in range(size.repeats)])}
    print(f"  bare model.astream: {results['bare_model']['cpu_us_per_token']:.2f} µs CPU/token", flush=True)


def latency(size: Size, results: dict[str, Any]) -> None:
    """Many streams at 50 tokens a second: from the moment a token is made to the moment it is read."""
    count = 50 * size.seconds
    jobs: dict[str, Callable[[int, float], str]] = {
        "starlette": _peer_request,
        "ours_memory": _ours_request,
        "ours_sqlite": _ours_request,
    }
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in jobs}
    for _ in range(max(1, size.repeats // 2)):
        for name, request in jobs.items():
            with serving(name) as server:
                result = run_load(server, request(count, 50), connections=size.streams, marker='"t=')
                if result["tokens"] != count * size.streams:
                    sys.exit(f"{name} sent {result['tokens']:.0f} tokens instead of {count * size.streams}")
                measured[name].append(result)
    for name, runs in measured.items():
        results[f"latency_{name}"] = {key: median([run[key] for run in runs]) for key in ("p50_ms", "p99_ms")}
        print(
            f"  {name:16} p50 {results[f'latency_{name}']['p50_ms']:6.2f} ms  "
            f"p99 {results[f'latency_{name}']['p99_ms']:6.2f} ms",
            flush=True,
        )


def memory(size: Size, results: dict[str, Any]) -> None:
    """What an idle follower holds."""
    with serving("fastapi_waiting") as server:
        results["idle_fastapi"] = idle_bytes(server, http("GET", "/stream"), size.followers)
    with serving("ours_memory") as server:
        run = json.loads(server.get("/agent/runs", body={"input": {"wait": 1}}))
        request = http("GET", f"/agent/runs/{run['id']}/stream")
        results["idle_ours"] = idle_bytes(server, request, size.followers)
    print(f"  FastAPI {results['idle_fastapi'] / 1024:.1f} KiB, ours {results['idle_ours'] / 1024:.1f} KiB", flush=True)


def resume(size: Size, results: dict[str, Any]) -> None:
    """Reading a run that has ended: a short one and a long one, in memory and from the file."""
    for app in ("ours_memory", "ours_sqlite"):
        with serving(app) as server:
            costs: dict[int, list[float]] = {}
            for count in (1000, size.long_run):
                run_load(server, http("POST", "/agent/stream", {"input": {"n": count}, "run_id": f"run-{count}"}))
            for _ in range(size.repeats):
                for count in (1000, size.long_run):
                    request = http("GET", f"/agent/runs/run-{count}/stream")
                    again = max(1, size.long_run // count)
                    spent = [run_load(server, request, connections=again, marker="token ")]
                    if spent[0]["tokens"] != count * again:
                        sys.exit(f"{app}: a resume lost tokens: {spent[0]['tokens']:.0f} of {count * again}")
                    costs.setdefault(count, []).append(spent[0]["cpu_us_per_token"])
        results[f"resume_{app}"] = {str(count): median(values) for count, values in costs.items()}
        print(f"  {app:16} {results[f'resume_{app}']} µs CPU/event", flush=True)


def each_source(size: Size, results: dict[str, Any]) -> None:
    """What each source adds to its SDK's bare stream."""
    results["sources"] = sources.measure(size.source_tokens, size.repeats)


def each_protocol(size: Size, results: dict[str, Any]) -> None:
    """What the protocols of others cost, and their own servers beside us."""
    results["protocols"] = protocols.measure(size.tokens, size.repeats)


def table(results: dict[str, Any], size: Size) -> list[Row]:
    """The ratios that count."""

    def over(above: float, below: float) -> float:
        return above / below if below else math.nan  # with little work, a clock of 10 ms may see nothing

    def rate(name: str) -> float:
        value: float = results[name]["tokens_per_second"]
        return value

    ours = rate("ours_memory")
    chat = over(results["ours_chat"]["cpu_us_per_token"], results["bare_model"]["cpu_us_per_token"])
    p99 = {name: results[f"latency_{name}"]["p99_ms"] for name in ("starlette", "ours_sqlite")}
    idle = over(results["idle_ours"], results["idle_fastapi"])
    long, short = (results["resume_ours_sqlite"][key] for key in (str(size.long_run), "1000"))
    return [
        Row("rate, memory log / Starlette StreamingResponse", ours / rate("starlette"), 2, 5, at_least=True),
        Row("rate, memory log / FastAPI's own SSE", ours / rate("fastapi_sse"), 15, 40, at_least=True),
        Row("rate, memory log / sse-starlette", ours / rate("sse_starlette"), 2, 5, at_least=True),
        Row("rate, chat model / LangServe", rate("ours_chat") / rate("langserve_chat"), 3, 3, at_least=True),
        Row("CPU, chat model / bare model.astream", chat, 1.2, 1.2, at_least=False),
        Row("rate, SQLite log / memory log", rate("ours_sqlite") / ours, 0.5, 0.8, at_least=True),
        Row("p99 latency, SQLite log / Starlette", p99["ours_sqlite"] / p99["starlette"], 2, 1, at_least=False),
        Row("memory, idle follower / FastAPI", idle, 1.2, 0.6, at_least=False),
        Row("cost per event, long run / short run", over(long, short), 1.2, 1.0, at_least=False),
    ]


def source_table(results: dict[str, Any], _size: Size) -> list[Row]:
    """What each source adds, over what it may add: the larger of 15 % of the bare stream's cost and 10 µs a token."""
    return [
        Row(f"CPU added / allowed, {name}", found["added_us"] / found["allowed_us"], 1, 0.5, at_least=False)
        for name, found in results["sources"].items()
    ]


def protocol_table(results: dict[str, Any], _size: Size) -> list[Row]:
    """Each codec beside the native one, and the servers of others beside us."""
    costs: dict[str, dict[str, float]] = dict(results["protocols"]["codecs"])
    native = costs.pop(protocols.NATIVE)
    rates = {name: found["tokens_per_second"] for name, found in results["protocols"]["servers"].items()}
    return [
        *(
            Row(f"codec CPU, {name} / native, batches of {size}", cost[size] / native[size], 3, 1.5, at_least=False)
            for name, cost in costs.items()
            for size in cost
        ),
        Row(
            "rate, LangServe drop-in / LangServe",
            rates["ours_langserve"] / rates["langserve_chat"],
            2,
            3,
            at_least=True,
        ),
        Row(
            "rate, drop-in with Unspool-Resume / LangServe",
            rates["ours_kept"] / rates["langserve_chat"],
            1,
            2,
            at_least=True,
        ),
        Row("rate, AI SDK stream / its Node server", rates["ours_ai_sdk"] / rates["ai_sdk_node"], 1, 2, at_least=True),
    ]


def _run(steps: Sequence[Step], size: Size, results: dict[str, Any]) -> None:
    for step in steps:
        print(f"{step.__name__}: {(step.__doc__ or '').partition('.')[0]}", flush=True)
        step(size, results)


PARTS: dict[str, tuple[Sequence[Step], Callable[[dict[str, Any], Size], list[Row]]]] = {
    "server": ((throughput, bare_model, latency, memory, resume), table),
    "sources": ((each_source,), source_table),
    "protocols": ((each_protocol,), protocol_table),
}
"""What can be measured by itself: the steps, and what makes rows of what they found."""


def main() -> None:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Unspool and its peers.")
    parser.add_argument("--quick", action="store_true", help="little work: proves only that it is done right")
    parser.add_argument("--part", choices=["all", *PARTS], default="all", help="what to measure")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/latest.json"), help="where the JSON goes")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else Size()
    results: dict[str, Any] = {}
    rows: list[Row] = []
    for part in PARTS if arguments.part == "all" else [arguments.part]:
        steps, rows_of = PARTS[part]
        _run(steps, size, results)
        rows += rows_of(results, size)
    print(f"\n{'ratio':48} {'value':>8} {'bar':>6} {'aim':>6}")
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        print(f"{row.what:48} {row.value:8.2f} {sign}{row.bar:5g} {sign}{row.aim:5g}  {row.verdict}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"size": size._asdict(), "results": results, "ratios": [row._asdict() for row in rows]}
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nWritten to {arguments.out}")


if __name__ == "__main__":
    main()
