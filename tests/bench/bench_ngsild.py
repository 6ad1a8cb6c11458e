"""NGSI-LD at 100,000 entities, over HTTP: batches, reads, queries, aggregation and memory.

The hub's application as the hub serves it (uvicorn) in a process of its own, the client in this
one, on real sockets. *CPU* is the processor time of the server's process for one operation: it says
what the hub costs where other work shares the machine, as wall time does not. The baseline is a
plain dictionary with ``json``, in process: no HTTP, no @context, no history, nothing durable.
Published, at 100,000 entities: Stellio on 8 vCPU 417 updates/s and 32 queries/s with p95 1.44 s;
Scorpio over a minute for 10,000 points of one entity; Ditto about 6.5 GB.

    python -m tests.bench.bench_ngsild
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil
import uvicorn

from citytwin import SystemClock
from citytwin_hub.apis.ngsild.app import build_ngsild
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.jsonld.contexts import Contexts
from tests.hub.doors import OpenDoor

ENTITIES: Final = 100_000
BATCH: Final = 1_000
READS: Final = 6_000
CONNECTIONS: Final = 4
QUERIES: Final = 40
POINTS: Final = 10_000
AGGREGATIONS: Final = 20
KINDS: Final = 10
REQUEST_S_MAX: Final = 120.0
BASE: Final = "/ngsi-ld/v1/"
HEAD: Final = ["figure", "goal", "measured", "p50 ms", "p95 ms", "p99 ms", "CPU µs/op", "baseline"]
Table = list[list[str]]
Document = dict[str, Any]

QUERY: Final[dict[str, Callable[[random.Random], str]]] = {
    "q: number of a range, 0.1 %": lambda c: f"type=Kind{c.randrange(KINDS)}&q=level>99.9",
    "q: text equal, 1 found": lambda c: f'type=Kind1&q=name=="object {c.randrange(ENTITIES)}"',
    "q: two terms, 20 of 1 %": lambda c: f'q=level>99;status=="s{c.randrange(20)}"',
    "q: any of two": lambda c: f"q=level<0.05|level>{99.95 + c.random() / 100:.3f}",
    "q: 50 %, first page": lambda _: "type=Kind2&q=level>50",
    "q: 50 %, counted": lambda _: "type=Kind2&q=level>50&count=true",
    "q: text is like, 1 found": lambda c: f'type=Kind1&q=name~="object {c.randrange(ENTITIES)}$"',
    "type, counted": lambda c: f"type=Kind{c.randrange(KINDS)}&count=true",
    "type, page at 5,000": lambda _: "type=Kind3&offset=5000&limit=20",
    "near, 500 m": lambda c: (
        "georel=near;maxDistance==500&geometry=Point&coordinates="
        f"[{76.8 + c.random() / 5:.5f},{43.1 + c.random() / 5:.5f}]"
    ),
}


def entity(number: int, level: float, chance: random.Random) -> Document:
    """Return an entity of five attributes."""
    return {
        "id": f"urn:ngsi-ld:Kind{number % KINDS}:{number}",
        "type": f"Kind{number % KINDS}",
        "name": {"type": "Property", "value": f"object {number}"},
        "level": {
            "type": "Property", "value": level, "unitCode": "MTR",
            "observedAt": "2026-11-26T10:00:00Z",
        },
        "status": {"type": "Property", "value": f"s{number % 20}"},
        "feeds": {"type": "Relationship", "object": f"urn:ngsi-ld:Kind0:{number // 100 * 10}"},
        "location": {
            "type": "GeoProperty",
            "value": {
                "type": "Point",
                "coordinates": [76.8 + chance.random() / 5, 43.1 + chance.random() / 5],
            },
        },
    }  # fmt: skip


def serve(folder: Path, listening: socket.socket) -> None:
    """Serve the application until a signal comes, as ``hub.py`` does."""
    clock = SystemClock()
    contexts = Contexts(folder / "contexts.db", clock)
    broker = Broker(folder / "entities", clock, contexts, OpenDoor())
    config = uvicorn.Config(build_ngsild(broker), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listening])
    broker.close()
    contexts.close()


class Client:
    """One connection to the server."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S_MAX)
        self._http.connect()
        self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Return the answer's body.

        Raises:
            ValueError: the server refuses.
        """
        headers = {"Content-Type": "application/json"} if body else {}
        self._http.request(method, BASE + path, body, headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 300 or answer.status == 207:
            raise ValueError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def close(self) -> None:
        """Leave."""
        self._http.close()


@dataclass(frozen=True)
class Server:
    """The server's process."""

    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Return its memory, in 10⁶ bytes."""
        return float(self.process.memory_info().rss) / 1e6


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve in a process of its own until the end of the block."""
    module = "tests.bench.bench_ngsild"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = int(listening.getsockname()[1]), listening.fileno()
        command = [sys.executable, "-m", module, "serve", str(folder), str(number)]
        process = subprocess.Popen(command, pass_fds=[number])
    try:
        # What is asked before it is there waits in the socket.
        Client(port).ask("GET", "types")
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@dataclass(frozen=True)
class Measured:
    """What requests took."""

    times_ms: Sequence[float]
    took_s: float
    cpu_s: float

    def cells(self, operations: int) -> list[str]:
        """Return percentiles and processor time as cells of the table."""
        ranked = sorted(self.times_ms)
        parts = [ranked[min(len(ranked) - 1, len(ranked) * p // 100)] for p in (50, 95, 99)]
        return [*(f"{part:.1f}" for part in parts), f"{self.cpu_s / operations * 1e6:,.0f}"]


def measure(
    server: Server, requests: Sequence[tuple[str, str, bytes | None]], connections: int = 1
) -> Measured:
    """Send requests over some connections, each of which waits for its answer."""
    times: list[float] = []

    def some(part: Sequence[tuple[str, str, bytes | None]]) -> None:
        client = Client(server.port)
        for request in part:
            began = time.perf_counter()
            client.ask(*request)
            times.append((time.perf_counter() - began) * 1e3)
        client.close()

    cpu_s, began = server.cpu_s(), time.perf_counter()
    threads = [
        threading.Thread(target=some, args=(requests[first::connections],))
        for first in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Measured(times, time.perf_counter() - began, server.cpu_s() - cpu_s)


def batches(seed: int, count: int) -> list[bytes]:
    """Return bodies of batches, each with new levels."""
    chance = random.Random(seed)
    made = [
        entity(number, round(chance.random() * 100, 3), random.Random(number))
        for number in range(count)
    ]
    return [json.dumps(made[at : at + BATCH]).encode() for at in range(0, count, BATCH)]


class Plain:
    """The baseline: a dictionary and ``json``."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.entities: dict[str, Document] = {}

    def upsert(self, bodies: Sequence[bytes]) -> float:
        """Return how many entities it takes in a second."""
        began, count = time.perf_counter(), 0
        for body in bodies:
            for one in json.loads(body):
                self.entities[one["id"]] = one
                count += 1
        return count / (time.perf_counter() - began)

    def read(self, ids: Sequence[str]) -> float:
        """Return how many reads it answers in a second."""
        began = time.perf_counter()
        for one in ids:
            json.dumps(self.entities[one]).encode()
        return len(ids) / (time.perf_counter() - began)

    def query_ms(self) -> float:
        """Return how long it looks for what is over a level, with all of the entities."""
        times = []
        for _ in range(5):
            began = time.perf_counter()
            found = [one for one in self.entities.values() if one["level"]["value"] > 99.9]
            json.dumps(found[:20]).encode()
            times.append((time.perf_counter() - began) * 1e3)
        return statistics.median(times)


def batch_rows(server: Server, plain: Plain) -> Iterator[list[str]]:
    """Yield the rows of batch upserts: of new entities, and of those that there are."""
    for what, seed in (("batch upsert, new", 1), ("batch upsert, known", 2)):
        bodies = batches(seed, ENTITIES)
        path = "entityOperations/upsert"
        took = measure(server, [("POST", path, body) for body in bodies])
        rate = ENTITIES / took.took_s
        cells = took.cells(ENTITIES)
        base = f"{plain.upsert(bodies):,.0f}/s"
        yield [f"{what} (of {BATCH:,})", "≥ 10,000/s", f"{rate:,.0f}/s", *cells, base]


def read_rows(server: Server, plain: Plain) -> Iterator[list[str]]:
    """Yield the rows of reading one entity after the other."""
    chance = random.Random(3)
    numbers = [chance.randrange(ENTITIES) for _ in range(READS)]
    ids = [f"urn:ngsi-ld:Kind{number % KINDS}:{number}" for number in numbers]
    base = f"{plain.read(ids):,.0f}/s"
    for connections in (1, CONNECTIONS):
        took = measure(server, [("GET", f"entities/{one}", None) for one in ids], connections)
        rate = f"{READS / took.took_s:,.0f}/s"
        what = f"entity read, {connections} connection{'s' * (connections > 1)}"
        yield [what, "≥ 2,000/s, p99 ≤ 5 ms", rate, *took.cells(READS), base]


def query_rows(server: Server, plain: Plain) -> Iterator[list[str]]:
    """Yield the rows of queries."""
    chance, base = random.Random(4), f"{plain.query_ms():.0f} ms"
    for what, make in QUERY.items():
        paths = [
            f"entities?{quote(make(chance), safe='=&;,.:[]')}&local=true" for _ in range(QUERIES)
        ]
        took = measure(server, [("GET", path, None) for path in paths])
        rate = f"{QUERIES / took.took_s:,.0f}/s"
        yield [what, "p95 ≤ 100 ms", rate, *took.cells(QUERIES), base]


def aggregation_rows(server: Server, _: Plain) -> Iterator[list[str]]:
    """Yield the row of what the points of one entity come to, hour by hour."""
    chance = random.Random(5)
    values = [chance.random() for _ in range(POINTS)]
    level = [
        {
            "type": "Property", "value": value,
            "observedAt": f"2026-11-{1 + at // 1440:02}T{at // 60 % 24:02}:{at % 60:02}:00Z",
        }
        for at, value in enumerate(values)
    ]  # fmt: skip
    body = {"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "level": level}
    Client(server.port).ask("POST", "temporal/entities", json.dumps(body).encode())
    path = (
        "temporal/entities/urn:ngsi-ld:Meter:1?options=aggregatedValues&aggrMethods=avg,max"
        "&aggrPeriodDuration=PT1H&timerel=between&timeAt=2026-11-01T00:00:00Z"
        "&endTimeAt=2026-12-01T00:00:00Z"
    )
    took = measure(server, [("GET", path, None)] * AGGREGATIONS)
    began = time.perf_counter()
    hours = [values[at : at + 60] for at in range(0, POINTS, 60)]
    json.dumps([(sum(hour) / len(hour), max(hour)) for hour in hours])
    base = f"{(time.perf_counter() - began) * 1e3:.1f} ms"
    rate = f"{AGGREGATIONS / took.took_s:,.0f}/s"
    cells = took.cells(AGGREGATIONS)
    yield [f"{POINTS:,} points, avg and max by hour", "≤ 50 ms", rate, *cells, base]


def run(told: Callable[[list[str]], None] = lambda _: None) -> Table:
    """Measure everything; each row is told when it is there."""
    plain, before = Plain(), psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        rows = [HEAD]
        for part in (batch_rows, read_rows, query_rows, aggregation_rows):
            for row in part(server, plain):
                rows.append(row)
                told(row)
        base = f"{(psutil.Process().memory_info().rss - before) / 1e6:,.0f} MB"
        file = sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file()) / 1e6
        memory = f"{server.rss_mb():,.0f} MB"
        rows.append(["memory (RSS)", "≤ 1 GB", memory, "", "", "", "", base])
        rows.append(["files", "", f"{file:,.0f} MB", "", "", "", "", ""])
    return rows


def main() -> None:
    """Print what was measured, or serve."""
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), socket.socket(fileno=int(sys.argv[3])))
        return
    for row in run(_show)[-2:]:
        _show(row)


def _show(row: list[str]) -> None:
    sys.stdout.write("  ".join(f"{cell:>12}" for cell in row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
