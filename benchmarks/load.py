"""The reader, a process of its own: opens connections, reads as fast as it can, prints what it saw as JSON."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

_SENT = re.compile(rb"t=(\d+)")


async def read(port: int, request: bytes, *, marker: bytes, latencies: list[int] | None = None) -> int:
    """Send ``request`` and read to the end. Return how often ``marker`` stood in the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(request)
    count, rest = 0, b""
    while data := await reader.read(1 << 20):
        now = time.monotonic_ns()
        rest += data
        complete, _, rest = rest.rpartition(b"\n\n")
        count += complete.count(marker)
        if latencies is not None:
            latencies.extend(now - int(sent) for sent in _SENT.findall(complete))
        if rest.endswith(b"0\r\n") or complete.endswith(b"0\r"):
            break
    count += rest.count(marker)
    writer.close()
    return count


async def hold(port: int, request: bytes, connections: int) -> None:
    """Open connections, wait until each has sent something, say so, and hold them until told to stop."""
    opened = []
    for _ in range(connections):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        opened.append((reader, writer))
    for reader, _ in opened:
        await reader.readuntil(b"\n\n")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for _, writer in opened:
        writer.close()


async def main(job: dict[str, object]) -> None:
    """Do one job."""
    port, request = int(str(job["port"])), str(job["request"]).encode()
    if job["kind"] == "hold":
        await hold(port, request, int(str(job["connections"])))
        return
    latencies: list[int] = []
    marker = str(job["marker"]).encode()
    began = time.perf_counter()
    reads = [read(port, request, marker=marker, latencies=latencies) for _ in range(int(str(job["connections"])))]
    counts = await asyncio.gather(*reads)
    seconds = time.perf_counter() - began
    latencies.sort()
    sys.stdout.write(
        json.dumps(
            {
                "tokens": sum(counts),
                "seconds": seconds,
                "p50_ms": latencies[len(latencies) // 2] / 1e6 if latencies else None,
                "p99_ms": latencies[len(latencies) * 99 // 100] / 1e6 if latencies else None,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
