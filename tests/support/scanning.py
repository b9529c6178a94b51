"""A scan in memory: an observer that keeps everything, time that nobody waits for, and a small API as its target."""

import asyncio
from dataclasses import replace
from typing import Any

from backend.app.engine.findings import Finding
from backend.app.engine.scan import ScanLimits, ScanPlan, ScanResult, TestRun, run_scan
from tests.support.fake_api import BASE_URL, CREDENTIALS, FakeApi, description


class Recorder:
    def __init__(self, stop_after: int | None = None) -> None:
        self.runs: list[TestRun] = []
        self.findings: list[Finding] = []
        self.steps: list[tuple[int, int]] = []
        self.stop_after = stop_after

    async def test_run(self, run: TestRun) -> None:
        self.runs.append(run)

    async def finding(self, finding: Finding) -> None:
        self.findings.append(finding)

    async def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    async def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.runs) >= self.stop_after


class VirtualClock:
    """Time that passes only by sleeping: when nothing else can happen, the earliest sleeper wakes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.deadlines: list[float] = []
        self.changes = 0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        deadline = self.now + seconds
        self.deadlines.append(deadline)
        self.changes += 1
        seen, idle = self.changes, 0
        try:
            while self.now < deadline:
                await asyncio.sleep(0)
                seen, idle = self.changes, idle + 1 if seen == self.changes else 0
                if idle > 50 and deadline == min(self.deadlines):
                    self.now = deadline
        finally:
            self.deadlines.remove(deadline)
            self.changes += 1


def plan(**changes: Any) -> ScanPlan:
    base = ScanPlan(description(), BASE_URL, "full", CREDENTIALS, seed=7, limits=ScanLimits(concurrency=1))
    return replace(base, **changes)


async def scanned(
    *faults: str, api: FakeApi | None = None, recorder: Recorder | None = None, **changes: Any
) -> tuple[ScanResult, Recorder, FakeApi]:
    api = api or FakeApi(*faults)
    recorder = recorder or Recorder()
    result = await run_scan(plan(**changes), api.send, observer=recorder, clock=VirtualClock())
    return result, recorder, api
