"""All SQL of scans, test runs and findings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.pagination import Row
from backend.app.db.insert import insert_or_ignore
from backend.app.db.rows import ListQuery
from backend.app.engine.checks import Severity
from backend.app.modules.scans.models import (
    ACTIVE,
    STANDING,
    EndpointResultRecord,
    FindingRecord,
    FindingStatus,
    ScanRecord,
    ScanStatus,
    SightingRecord,
    TestRunRecord,
)
from backend.app.modules.scans.schemas import FindingRead, OperationResultRead, ScanRead, TestRunRead

_BATCH = 500

_scans: Any = ScanRecord.__table__
_runs: Any = TestRunRecord.__table__
_results: Any = EndpointResultRecord.__table__
_findings: Any = FindingRecord.__table__
_sightings: Any = SightingRecord.__table__

_SCAN_COLUMNS = [_scans.c[name] for name in ScanRead.model_fields if name != "progress"]
_SCANS = select(*_SCAN_COLUMNS, _scans.c.done, _scans.c.total)
_RUNS = select(*(_runs.c[name] for name in TestRunRead.model_fields))
_RESULTS = select(*(_results.c[name] for name in OperationResultRead.model_fields))
_FINDINGS = select(*(_findings.c[name] for name in FindingRead.model_fields))
_SCAN_FINDINGS = _FINDINGS.add_columns(_sightings.c.sighting).join(
    _sightings, _sightings.c.finding_id == _findings.c.id
)
_SCAN_LIST = ListQuery(
    _SCANS.where(_scans.c.workspace_id == bindparam("workspace"), _scans.c.project_id == bindparam("project")),
    {"status": _scans.c.status == bindparam("status"), "before": _scans.c.id < bindparam("before")},
    _scans.c.id.desc(),
)
_RUN_FILTERS = {name: _runs.c[name] == bindparam(name) for name in ("success", "endpoint_id", "case_kind")}
_RUN_LIST = ListQuery(
    _RUNS.where(_runs.c.workspace_id == bindparam("workspace"), _runs.c.scan_id == bindparam("scan")),
    {**_RUN_FILTERS, "after": _runs.c.id > bindparam("after")},
    _runs.c.id,
)
_ENDPOINT_RUN_LIST = ListQuery(
    _RUNS.where(_runs.c.workspace_id == bindparam("workspace")),
    {**_RUN_FILTERS, "after": _runs.c.id < bindparam("after")},
    _runs.c.id.desc(),
)
_RESULT_LIST = ListQuery(
    _RESULTS.where(_results.c.workspace_id == bindparam("workspace"), _results.c.scan_id == bindparam("scan")),
    {"after": _results.c.endpoint_id > bindparam("after")},
    _results.c.endpoint_id,
)
_FINDING_FILTERS = {
    "status": _findings.c.status == bindparam("status"),
    "severity": _findings.c.severity == bindparam("severity"),
    "before": _findings.c.id < bindparam("before"),
}
_FINDING_LIST = ListQuery(
    _FINDINGS.where(_findings.c.workspace_id == bindparam("workspace"), _findings.c.project_id == bindparam("project")),
    _FINDING_FILTERS,
    _findings.c.id.desc(),
)
_SCAN_FINDING_LIST = ListQuery(
    _SCAN_FINDINGS.where(_findings.c.workspace_id == bindparam("workspace"), _sightings.c.scan_id == bindparam("scan")),
    _FINDING_FILTERS,
    _findings.c.id.desc(),
)


@dataclass(frozen=True, slots=True)
class TestRunFilter:
    __test__ = False

    success: bool | None = None
    endpoint_id: str | None = None
    case_kind: str | None = None


@dataclass(frozen=True, slots=True)
class FindingFilter:
    status: FindingStatus | None = None
    severity: Severity | None = None


async def count_requests(session: AsyncSession) -> int:
    """Requests that all scans of all workspaces have sent so far: an operator's figure."""
    return int(await session.scalar(select(func.coalesce(func.sum(_scans.c.done), 0))) or 0)


class ScanRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = _scans.c.workspace_id == workspace_id

    async def add(self, values: Row) -> bool:
        """False when the project has an active scan."""
        return await insert_or_ignore(self._session, ScanRecord, {**values, "workspace_id": self._workspace_id})

    async def page(self, project_id: str, status: ScanStatus | None, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        rows = await _SCAN_LIST.fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            project=project_id,
            status=status,
            before=before,
        )
        return [_read(row) for row in rows]

    async def get(self, scan_id: str) -> Row | None:
        row = (await self._session.execute(_SCANS.where(self._mine, _scans.c.id == scan_id))).mappings().first()
        return None if row is None else _read(row)

    async def begin(self, scan_id: str, values: Row) -> Row | None:
        """Starts a scan from nothing and answers it; None when it is completed, deleted, or another one is active."""
        other = _scans.alias()
        blocked = exists().where(
            other.c.project_id == _scans.c.project_id, other.c.id != scan_id, other.c.status.in_(ACTIVE)
        )
        statement = (
            update(_scans)
            .where(self._mine, _scans.c.id == scan_id, _scans.c.status != ScanStatus.COMPLETED, ~blocked)
            .values(status=ScanStatus.RUNNING, done=0, total=0, summary=None, error=None, finished_at=None, **values)
            .returning(*_scans.c)
        )
        row = (await self._session.execute(statement)).mappings().first()
        if row is not None:
            await self._clear([scan_id])
        return row

    async def advance(self, scan_id: str, done: int, total: int) -> ScanStatus | None:
        """The scan's status; None, storing nothing, when it is neither running nor cancelled, or deleted."""
        ours = _scans.c.status.in_((ScanStatus.RUNNING, ScanStatus.CANCELLED))
        statement = (
            update(_scans)
            .where(self._mine, _scans.c.id == scan_id, ours)
            .values(done=done, total=total)
            .returning(_scans.c.status)
        )
        status = (await self._session.execute(statement)).scalar_one_or_none()
        return None if status is None else ScanStatus(status)

    async def finish(self, scan_id: str, values: Row, *, among: Iterable[ScanStatus] = ACTIVE) -> str | None:
        """Answers the project; None when the scan's status is not `among` those named, or it is deleted."""
        statement = (
            update(_scans)
            .where(self._mine, _scans.c.id == scan_id, _scans.c.status.in_(tuple(among)))
            .values(**values)
            .returning(_scans.c.project_id)
        )
        project_id: str | None = (await self._session.execute(statement)).scalar_one_or_none()
        return project_id

    async def latest_completed(self, project_id: str, scan_type: str | None, count: int) -> Sequence[Row]:
        """Id and end of the latest completed scans, oldest first."""
        alike = _scans.c.scan_type == scan_type if scan_type else true()
        query = (
            select(_scans.c.id, _scans.c.finished_at)
            .where(self._mine, _scans.c.project_id == project_id, _scans.c.status == ScanStatus.COMPLETED, alike)
            .order_by(_scans.c.id.desc())
            .limit(count)
        )
        return list(reversed((await self._session.execute(query)).mappings().all()))

    async def add_test_runs(self, rows: Sequence[Row]) -> None:
        await self._session.execute(insert(_runs), [{**row, "workspace_id": self._workspace_id} for row in rows])

    async def test_runs(
        self, wanted: TestRunFilter, scan_id: str | None, after: int | None, limit: int
    ) -> Sequence[Row]:
        """Those of a scan in the order of their answers, or those of `wanted.endpoint_id`, the latest first."""
        rows = await (_RUN_LIST if scan_id else _ENDPOINT_RUN_LIST).fetch(
            self._session,
            limit=limit,
            workspace=self._workspace_id,
            scan=scan_id,
            after=after,
            success=wanted.success,
            endpoint_id=wanted.endpoint_id,
            case_kind=wanted.case_kind,
        )
        for row in rows:
            row["validation_errors"] = row["validation_errors"] or []
        return rows

    async def add_results(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._session.execute(insert(_results), [{**row, "workspace_id": self._workspace_id} for row in rows])

    async def results(self, scan_id: str, after: str | None, limit: int) -> Sequence[Row]:
        """Those of a scan, by endpoint."""
        return await _RESULT_LIST.fetch(
            self._session, limit=limit, workspace=self._workspace_id, scan=scan_id, after=after
        )

    async def results_of(self, scan_ids: Sequence[str]) -> Sequence[Row]:
        """Of operations that got at least one request."""
        query = _RESULTS.add_columns(_results.c.scan_id).where(
            _results.c.workspace_id == self._workspace_id, _results.c.scan_id.in_(scan_ids), _results.c.requests > 0
        )
        return (await self._session.execute(query)).mappings().all()

    async def delete_of_project(self, project_id: str) -> None:
        """The scans go first: a job that is still writing waits for their rows, and then finds them gone."""
        statement = delete(_scans).where(self._mine, _scans.c.project_id == project_id).returning(_scans.c.id)
        await self._clear(list((await self._session.execute(statement)).scalars()))

    async def _clear(self, scan_ids: Sequence[str]) -> None:
        for table in (_runs, _results, _sightings):
            for start in range(0, len(scan_ids), _BATCH):
                await self._session.execute(
                    delete(table).where(
                        table.c.workspace_id == self._workspace_id,
                        table.c.scan_id.in_(scan_ids[start : start + _BATCH]),
                    )
                )


class FindingRepository:
    def __init__(self, session: AsyncSession, workspace_id: str) -> None:
        self._session = session
        self._workspace_id = workspace_id
        self._mine = _findings.c.workspace_id == workspace_id

    async def page(self, project_id: str, wanted: FindingFilter, before: str | None, limit: int) -> Sequence[Row]:
        """Newest first."""
        return await _FINDING_LIST.fetch(self._session, project=project_id, **self._filters(wanted, before, limit))

    async def page_of_scan(self, scan_id: str, wanted: FindingFilter, before: str | None, limit: int) -> Sequence[Row]:
        """With what the scan meant for them; newest first."""
        return await _SCAN_FINDING_LIST.fetch(self._session, scan=scan_id, **self._filters(wanted, before, limit))

    def _filters(self, wanted: FindingFilter, before: str | None, limit: int) -> dict[str, Any]:
        return {
            "workspace": self._workspace_id,
            "status": wanted.status,
            "severity": wanted.severity,
            "before": before,
            "limit": limit,
        }

    async def get(self, finding_id: str, *, lock: bool = False) -> Row | None:
        query = _FINDINGS.where(self._mine, _findings.c.id == finding_id)
        query = query.with_for_update() if lock else query
        return (await self._session.execute(query)).mappings().first()

    async def known(self, project_id: str) -> Sequence[Row]:
        """What deciding about a scan's findings takes, of every finding of the project; locked."""
        names = (
            "id",
            "fingerprint",
            "status",
            "endpoint_id",
            "case_kind",
            "severity",
            "check",
            "method",
            "path",
            "title",
        )
        query = select(*(_findings.c[name] for name in names)).where(self._mine, _findings.c.project_id == project_id)
        return (await self._session.execute(query.with_for_update())).mappings().all()

    async def count_standing(self, project_id: str) -> int:
        query = select(func.count()).where(
            self._mine, _findings.c.project_id == project_id, _findings.c.status.in_(STANDING)
        )
        return int(await self._session.scalar(query) or 0)

    async def add(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._session.execute(
                insert(_findings), [{**row, "workspace_id": self._workspace_id} for row in rows]
            )

    async def change(self, rows: Sequence[Row]) -> None:
        """Each row names its `id` and the same columns."""
        if rows:
            columns = {name: bindparam(f"b_{name}", type_=_findings.c[name].type) for name in rows[0] if name != "id"}
            statement = update(_findings).where(self._mine, _findings.c.id == bindparam("b_id")).values(columns)
            await self._session.execute(
                statement, [{f"b_{name}": value for name, value in row.items()} for row in rows]
            )

    async def add_sightings(self, rows: Sequence[Row]) -> None:
        if rows:
            await self._session.execute(
                insert(_sightings), [{**row, "workspace_id": self._workspace_id} for row in rows]
            )

    async def delete_of_project(self, project_id: str) -> None:
        await self._session.execute(delete(_findings).where(self._mine, _findings.c.project_id == project_id))


def _read(row: Row) -> Row:
    """The row with the fields of `ScanRead`."""
    read = dict(row)
    read["progress"] = {"done": read.pop("done"), "total": read.pop("total")}
    return read
