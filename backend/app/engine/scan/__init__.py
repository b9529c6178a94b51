"""One sweep over a live target: plan the cases, send them, judge the answers, tell an observer.

`model` has the values that go in and come out, `planning` decides what is sent in which order, `sending` keeps to the
rate and to the number of requests, `ledger` knows what the answers have shown, and `run` brings them together.
"""

from backend.app.engine.scan.model import (
    MOST_REQUESTS,
    Coverage,
    OperationSummary,
    ScanLimits,
    ScanObserver,
    ScanPlan,
    ScanResult,
    ScanType,
    Stopped,
    TestRun,
)
from backend.app.engine.scan.run import run_scan

__all__ = [
    "MOST_REQUESTS",
    "Coverage",
    "OperationSummary",
    "ScanLimits",
    "ScanObserver",
    "ScanPlan",
    "ScanResult",
    "ScanType",
    "Stopped",
    "TestRun",
    "run_scan",
]
