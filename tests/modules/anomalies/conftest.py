"""Projects whose scans are over: what each endpoint did in them is written down, not measured."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, TypeAlias

import pytest
from sqlalchemy import insert, select

from backend.app.core.clock import utc_now
from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.permissions import system_principal
from backend.app.core.settings import AnomalySettings, Settings
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.scans.events import ScanCompleted
from backend.app.modules.scans.models import EndpointResultRecord, ScanRecord, ScanStatus
from tests.support.bench import ALICE, Bench

Did: TypeAlias = Mapping[str, float]
"""What one endpoint did in one scan: `latency`, `size`, `errors` of its `requests`."""
ScanOnce: TypeAlias = Callable[..., Awaitable[str]]


@pytest.fixture
def sensitivity() -> str:
    """Tests may name another one by parameter."""
    return AnomalySettings().sensitivity


@pytest.fixture
async def bench(settings: Settings, database: Database, sensitivity: Literal["low", "medium", "high"]) -> Bench:
    chosen = settings.model_copy(update={"anomalies": AnomalySettings(sensitivity=sensitivity)})
    return Bench.open(chosen, database)


def completed(project_id: str, scan_id: str) -> ScanCompleted:
    counts = dict.fromkeys(name for name, field in ScanCompleted.model_fields.items() if field.annotation is int)
    return ScanCompleted(
        project_id=project_id, scan_id=scan_id, scan_type="full", duration_s=1.0, **dict.fromkeys(counts, 0)
    )


async def publish(bench: Bench, event: ScanCompleted, who: str = ALICE) -> None:
    async with bench.database.transaction() as session:
        context = ServiceContext(bench.settings, session, bench.hub, system_principal(who), utc_now, new_ulid())
        await bench.hub.publish(event, context)


async def told(bench: Bench, project_id: str) -> list[str]:
    """What the timeline of a project says about anomalies, oldest first."""
    async with bench.database.transaction(write=False) as session:
        mine = (EventRecord.project_id == project_id) & EventRecord.name.startswith("anomaly")
        return list(await session.scalars(select(EventRecord.name).where(mine).order_by(EventRecord.position)))


@pytest.fixture
def scan(bench: Bench) -> ScanOnce:
    """Adds a completed scan with what each endpoint (id and `GET /path`) did, and lets everyone hear of it."""

    async def add(project_id: str, endpoints: Mapping[tuple[str, str], Did], *, heard: bool = True) -> str:
        scan_id, now = new_ulid(), utc_now()
        owner = {"workspace_id": ALICE, "project_id": project_id}
        times = {"created_at": now, "started_at": now, "finished_at": now}
        limits = {"seed": 0, "concurrency": 1, "max_requests": 9, "max_seconds": 9.0, "done": 9, "total": 9}
        row = {"id": scan_id, "event_id": new_ulid(), "scan_type": "full", "status": ScanStatus.COMPLETED}
        async with bench.database.transaction() as session:
            await session.execute(insert(ScanRecord), [{**row, **owner, **times, **limits}])
            for (endpoint_id, name), did in endpoints.items():
                result: dict[str, Any] = {
                    "scan_id": scan_id,
                    "endpoint_id": endpoint_id,
                    "method": name.split()[0],
                    "path": name.split()[1],
                    "requests": int(did.get("requests", 20)),
                    "errors": int(did.get("errors", 0)),
                    "statuses": {},
                    "reached_2xx": True,
                    "skipped": "",
                    "note": "",
                    "samples": 5 if "latency" in did else 0,
                    "median_latency_ms": did.get("latency"),
                    "median_size_bytes": did.get("size"),
                }
                await session.execute(insert(EndpointResultRecord), [{**result, **owner}])
        if heard:
            await publish(bench, completed(project_id, scan_id))
            await bench.drain()
        return scan_id

    return add
