"""The summary of a scan for a terminal: the verdict first, then the findings by operation, then the totals."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from backend.app.engine.reports import FindingReport, OperationReport, Report, reports

SEVERITIES = ("critical", "high", "medium", "low", "info")
NAMES_SHOWN = 5
MANY = 5
"""So many operations with the same small fault, and it is told once."""

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, bidirectional overrides and lone surrogates: what a target sends must not steer a terminal."""

MASKED = "$TOKEN"
"""What stands in a `curl` line for a secret."""

RED, GREEN, YELLOW, BOLD, DIM = 31, 32, 33, 1, 2
SEVERITY_COLORS = {"critical": RED, "high": RED, "medium": YELLOW}


@reports.register("text")
def text_report(report: Report) -> bytes:
    return render(report).encode()


def render(report: Report, *, color: bool = False, failed: bool | None = None) -> str:
    """Lines that end with a newline. `failed` is the verdict of the gate; without one any finding fails. `color` adds
    ANSI colours (ECMA-48, SGR)."""
    common, rest = _common(report.findings)
    lines = [_verdict(report, bool(report.findings) if failed is None else failed, color), ""]
    for name, findings in _by_operation(rest).items():
        lines.append(_paint(_line(name), BOLD, color))
        for finding in findings:
            lines += _finding_lines(finding, color)
        lines.append("")
    for findings in common:
        names = [f"{finding.method} {finding.path}" for finding in findings]
        lines.append(_paint(f"{len(names)} operations: {_some(names)}", BOLD, color))
        lines += [*_finding_lines(findings[0], color), ""]
    lines += _warnings(report.operations, color)
    if any(MASKED in finding.curl for finding in report.findings):
        lines += [f"Set TOKEN to the credentials before you paste a line that says {MASKED}.", ""]
    lines.append(_totals(report))
    return "\n".join(lines) + "\n"


def _verdict(report: Report, failed: bool, color: bool) -> str:
    word = _paint("FAIL", RED, color) if failed else _paint("PASS", GREEN, color)
    return f"{word}  {_line(report.target)}  {_count_findings(report.findings)}"


def _count_findings(findings: Sequence[FindingReport]) -> str:
    if not findings:
        return "no findings"
    counts = Counter(finding.severity for finding in findings)
    parts = ", ".join(f"{counts[severity]} {_line(severity)}" for severity in sorted(counts, key=_rank))
    operations = len({(finding.method, finding.path) for finding in findings})
    return f"{_plural(len(findings), 'finding')} in {_plural(operations, 'operation')} ({parts})"


def _common(findings: Sequence[FindingReport]) -> tuple[list[list[FindingReport]], list[FindingReport]]:
    """Small faults that many operations share, for most likely they have one cause, and all others."""
    groups: dict[tuple[str, str], list[FindingReport]] = defaultdict(list)
    for finding in findings:
        if _rank(finding.severity) >= _rank("low"):
            groups[finding.check, finding.title].append(finding)
    common = [group for group in groups.values() if len(group) >= MANY]
    shown = {id(finding) for group in common for finding in group}
    return common, [finding for finding in findings if id(finding) not in shown]


def _by_operation(findings: Sequence[FindingReport]) -> dict[str, list[FindingReport]]:
    """The operation with the worst finding first; equal ones as reported."""
    groups: dict[str, list[FindingReport]] = defaultdict(list)
    for finding in sorted(findings, key=lambda finding: _rank(finding.severity)):
        groups[f"{finding.method} {finding.path}"].append(finding)
    return groups


def _finding_lines(finding: FindingReport, color: bool) -> list[str]:
    severity = _paint(f"{_line(finding.severity).upper():<8}", SEVERITY_COLORS.get(finding.severity, DIM), color)
    lines = [f"  {severity}  {_line(finding.title)}  {_paint(f'[{_line(finding.check)}]', DIM, color)}"]
    lines += [f"    {line}" for line in _plain(finding.detail).splitlines() if line.strip()]
    # Not broken nor shortened: it is there to be copied.
    lines += [f"    {_paint(line, DIM, color)}" for line in _plain(finding.commands).splitlines()]
    return lines


def _warnings(operations: Sequence[OperationReport], color: bool) -> list[str]:
    """Operations that were asked and never succeeded: what was found about them proves little."""
    silent = [f"{one.method} {one.path}" for one in operations if one.requests and not one.reached_2xx]
    if not silent:
        return []
    return [f"{_paint('WARN', YELLOW, color)}  no 2xx answer from {_some(silent)}: no finding there proves little", ""]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(map(_line, names[:NAMES_SHOWN])) + more


def _totals(report: Report) -> str:
    coverage = report.coverage
    return "  ".join(
        [
            f"{_plural(report.requests, 'request')} in {report.duration_s:.1f} s",
            f"{coverage.operations_requested} of {_plural(coverage.operations_total, 'operation')} requested",
            f"{coverage.operations_2xx} answered 2xx",
            f"coverage {coverage.percent:.0f}%",
            f"seed {report.seed}",
        ]
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _paint(text: str, code: int, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def _plain(text: str) -> str:
    return UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def _line(text: str) -> str:
    return " ".join(_plain(text).split())
