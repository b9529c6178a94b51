"""A description of Microsoft Graph's size through the API: discovered, again, cancelled, listed, exported, compared.

    python -m benchmarks.inventory [FILE]       # FILE in place of the generated one (`support/big_spec.py`)

The product runs as processes of its own: embedded on SQLite, and as a server and a worker on PostgreSQL with Redis.
Meanwhile another connection repeats a GET that has nothing to do with it, a hundred times a second, and each answer's
time counts. CPU is that of the server and the worker with their children; memory is the peak of the one or the other
while the step lasts. Databases count for nothing.
"""

import argparse
import http.client
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.support.big_spec import OPERATIONS, big_spec
from benchmarks.support.table import Row, print_table
from tests.support import databases
from tests.support.network import unused_port

API_MB = 500
P99_MS = 50.0
MAX_MS = 250.0
AGAIN = 0.5
"""Of the CPU of the first discovery."""
CANCEL_S = 2.0
PATIENCE_S = 300.0
_COMMAND = (sys.executable, "-c", "from backend.app.cli import main; main()")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROBE_S = 0.01
_TARGET = "http://127.0.0.1:9"
"""Nobody is there, and nobody is asked."""


@dataclass(frozen=True, slots=True)
class Product:
    """`pids`: the processes by what they are, `api` first."""

    client: httpx2.Client
    port: int
    pids: dict[str, int]

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.client.request(method, f"/api/v1{path}", **options)
        if answer.status_code >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()["data"]

    def cpu_s(self) -> float:
        return sum(_cpu_s(pid) for pid in self.pids.values())


def _cpu_s(pid: int) -> float:
    """User and system time, with that of children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * _TICK_S


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


class Watch:
    """What a step costs, and how long others wait meanwhile."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._stop = threading.Event()
        self._waits: list[float] = []
        self._prober = threading.Thread(target=self._probe)

    def __enter__(self) -> "Watch":
        for pid in self._product.pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew (proc(5))
        self._cpu, self._started = self._product.cpu_s(), time.perf_counter()
        self._prober.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = time.perf_counter() - self._started
        self.cpu_s = self._product.cpu_s() - self._cpu
        self.peaks = {name: _peak_mb(pid) for name, pid in self._product.pids.items()}
        self._stop.set()
        self._prober.join()

    def _probe(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._product.port, timeout=30)
        headers = dict(self._product.client.headers)
        while not self._stop.is_set():
            started = time.perf_counter()
            connection.request("GET", "/api/v1/projects?limit=20", headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the other request was answered with {answer.status}")
            self._waits.append((time.perf_counter() - started) * 1000)
            time.sleep(_PROBE_S)
        connection.close()

    def rows(self, what: str, most_cpu: float | None = None) -> list[Row]:
        waits = sorted(self._waits) or [0.0]
        p50, p99, longest = statistics.median(waits), waits[len(waits) * 99 // 100], waits[-1]
        memory = ", ".join(f"{name} {peak:.0f}" for name, peak in self.peaks.items())
        goal = "" if most_cpu is None else f"<= {most_cpu:.1f} s"
        good = most_cpu is None or self.cpu_s <= most_cpu
        return [
            Row(f"{what}: CPU; until it is done", f"{self.cpu_s:.1f} s; {self.seconds:.1f} s", goal, good),
            Row("  memory", f"{memory} MB", f"api < {API_MB} MB", self.peaks["api"] < API_MB),
            Row(
                "  another GET, p50, p99, longest",
                f"{p50:.1f}, {p99:.0f}, {longest:.0f} ms",
                f"p99 < {P99_MS:.0f}, < {MAX_MS:.0f} ms",
                p99 < P99_MS and longest < MAX_MS,
            ),
        ]


@contextmanager
def _process(*words: str, folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{words[0]}.log").open("wb") as log:
        child = subprocess.Popen([*_COMMAND, *words], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


@contextmanager
def deployed(folder: Path, url: str, redis_url: str | None) -> Iterator[Product]:
    """A server, with a worker where there is a Redis, and a client that has signed in."""
    port = unused_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TOUCHSTONE_AUTH__SECRET_KEY": secrets.token_urlsafe(32),
        "TOUCHSTONE_DATABASE__URL": url,
        "TOUCHSTONE_RATES__ENABLED": "false",
        "TOUCHSTONE_STORAGE__DATA_DIR": str(folder / "data"),
        **({"TOUCHSTONE_REDIS__URL": redis_url} if redis_url else {}),
    }
    with ExitStack() as stack:
        client = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60))
        start = {"folder": folder, "environment": environment}
        pids = {"api": stack.enter_context(_process("serve", "--port", str(port), **start)).pid}  # type: ignore[arg-type]
        if redis_url:
            pids["worker"] = stack.enter_context(_process("worker", **start)).pid  # type: ignore[arg-type]
        until(lambda: _is_ready(client))
        product = Product(client, port, pids)
        person = {"email": "bench@example.com", "password": "correct horse battery"}
        product.ask("POST", "/auth/register", json={**person, "first_name": "Bench", "last_name": "Mark"})
        bearer = {"Authorization": f"Bearer {product.ask('POST', '/auth/login', json=person)['access_token']}"}
        key = product.ask("POST", "/user/api-keys", json={"name": "bench"}, headers=bearer)
        client.headers["X-API-Key"] = key["key"]
        yield product


def _is_ready(client: httpx2.Client) -> bool:
    try:
        return bool(client.get("/health/ready").json()["status"] == "ok")
    except httpx2.TransportError:
        return False


def until(done: Callable[[], Any]) -> Any:
    """What `done` answers when that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := done()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE_S:.0f} s")
        time.sleep(0.05)
    return answer


class Project:
    def __init__(self, product: Product) -> None:
        self._product = product
        self.id = product.ask("POST", "/projects", json={"name": secrets.token_hex(4), "base_url": _TARGET})["id"]

    def hand_in(self, document: bytes) -> str:
        """The id of the upload."""
        upload = self.ask(
            "POST",
            "/endpoints/uploads?name=openapi.yaml",
            content=document,
            headers={"Content-Type": "application/octet-stream"},
        )
        return str(upload["id"])

    def ask(self, method: str, path: str, **options: Any) -> Any:
        return self._product.ask(method, f"/projects/{self.id}{path}", **options)

    def discovery(self, upload_id: str) -> tuple[str, str]:
        """The ids of a discovery that has begun, and of its job."""
        discovery = self.ask("POST", "/endpoints/scan", json={"uploads": [upload_id]})
        (job,) = self._product.ask("GET", f"/jobs?event_id={discovery['event_id']}")
        return discovery["id"], job["id"]

    def ended(self, discovery_id: str) -> dict[str, Any]:
        """When the discovery has, and all that follows from it."""
        found: dict[str, Any] = until(lambda: self._ended(discovery_id))
        path = f"/jobs?project_id={self.id}"
        until(lambda: all(it["status"] not in ("pending", "running") for it in self._product.ask("GET", path)))
        return found

    def _ended(self, discovery_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] = self._product.ask("GET", f"/discoveries/{discovery_id}")
        return found if found["status"] not in ("queued", "running") else None

    def until_compared(self, job_id: str) -> None:
        """The document is read by then, and what it says is compared with the inventory or stored."""
        notes = ("comparing", "storing")
        until(lambda: (self._product.ask("GET", f"/jobs/{job_id}")["note"] or "").startswith(notes))

    def sources(self) -> Any:
        return [it["endpoints"] for it in self.ask("GET", "/endpoints/sources")]


def measure(where: str, product: Product, document: bytes, operations: int) -> Iterator[Row]:
    project = Project(product)
    with Watch(product) as first:
        discovery_id, _ = project.discovery(project.hand_in(document))
        found = project.ended(discovery_id)
    if found["status"] != "completed" or found["added"] != operations:
        raise RuntimeError(f"the discovery found {found}")
    yield from first.rows(f"{where}: discovery of {operations} operations, its graph")
    with Watch(product) as again:
        discovery_id, _ = project.discovery(project.hand_in(document))
        found = project.ended(discovery_id)
    if found["unchanged"] != operations:
        raise RuntimeError(f"the second discovery found {found}")
    yield from again.rows("the same again", first.cpu_s * AGAIN)
    yield _cancelled(product, document)
    listed = []
    with Watch(product) as lists:
        for _ in range(20):
            started = time.perf_counter()
            project.ask("GET", "/endpoints?limit=200&path=entities&method=GET")
            listed.append((time.perf_counter() - started) * 1000)
    yield Row("a page of 200 endpoints", f"{statistics.median(listed):.0f} ms", "", True)
    yield from lists.rows("20 of them")[1:]
    for form in ("openapi", "csv", "json"):
        with Watch(product) as exports:
            answer = product.client.get(f"/api/v1/projects/{project.id}/endpoints/export?format={form}")
        if answer.status_code != 200:
            raise RuntimeError(answer.text[:500])
        yield from exports.rows(f"export as {form}, {len(answer.content) >> 20} MB")


def _cancelled(product: Product, document: bytes) -> Row:
    """A discovery that is cancelled after it has read leaves nothing."""
    project = Project(product)
    discovery_id, job_id = project.discovery(project.hand_in(document))
    project.until_compared(job_id)
    started = time.perf_counter()
    product.ask("POST", f"/jobs/{job_id}/cancel")
    status = project.ended(discovery_id)["status"]
    seconds = time.perf_counter() - started
    sources = project.sources()
    good = status == "cancelled" and not sources and seconds < CANCEL_S
    return Row("cancelled when it was read", f"{seconds:.2f} s, {status}", f"< {CANCEL_S:.0f} s", good)


def run(document: bytes | None = None, operations: int = OPERATIONS) -> list[Row]:
    document = document or big_spec()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with deployed(folder, databases.sqlite_database(folder), None) as product:
            rows += measure("embedded, SQLite", product, document, operations)
        with (
            databases.unmigrated("postgresql", folder) as url,
            deployed(folder, url, databases.redis_server_url()) as product,
        ):
            rows += measure("server and worker, PostgreSQL", product, document, operations)
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inventory")
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="how many FILE has")
    options = parser.parse_args()
    print_table(run(options.file.read_bytes() if options.file else None, options.operations))
