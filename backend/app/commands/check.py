"""`touchstone check`: the whole job in one process, with no server and no database."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from backend.app.commands.terminal import (
    AUTH_HELP,
    FOUND,
    GOOD,
    INTERRUPTED,
    NOT_AUTHORISED,
    UNREACHABLE,
    USAGE,
    fail,
    require_url,
)
from backend.app.core.redaction import redact_phrases, redact_text, remember
from backend.app.engine.checks import Severity
from backend.app.engine.findings import SECRET_LIKE, Finding
from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Headers, Outcome
from backend.app.engine.reports import Report, report_of, reports
from backend.app.engine.reports.text import render
from backend.app.engine.scan import ScanLimits, ScanPlan, ScanResult, ScanType, Stopped, TestRun, run_scan
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.engine.spec.servers import base_url_at, resolve_base_url
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS
from backend.app.extensions.sandbox import read_description
from backend.app.extensions.spec_files import read_spec_file
from backend.app.modules.endpoints.discovery import Discovered, NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.looking.tools import discovery_tools

if TYPE_CHECKING:
    from rich.progress import Progress

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_UNREACHABLE = frozenset(
    f"discovery.{outcome}" for outcome in Outcome if outcome not in (Outcome.ANSWERED, Outcome.TOO_LARGE)
)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    spec: str
    base_url: str | None
    headers: tuple[str, ...]
    auth: str | None
    scan_type: str
    max_requests: int
    max_seconds: float
    rate: float | None
    workers: int
    seed: int
    reports: tuple[str, ...]
    fail_on: str
    as_json: bool
    verify_tls: bool


class UsageError(Exception):
    """What was typed cannot be used; the message says why."""


def run_check(options: CheckOptions) -> int:
    """The exit code."""
    import uvloop

    try:
        wanted = _report_files(options.reports)
        if "://" in options.spec:
            require_url("SPEC_OR_URL", options.spec)
        if options.base_url is not None:
            require_url("--base-url", options.base_url)
        headers = tuple(_header(number, text) for number, text in enumerate(options.headers, 1))
        remember(*(value for name, value in headers if SECRET_LIKE.search(name)))
        credentials = _credentials(options.auth)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_check(options, headers, credentials, wanted))
    except (UsageError, SpecError) as error:
        fail(redact_phrases(str(error)), USAGE)
    except NothingDiscovered as error:
        fail(redact_phrases(error.message), UNREACHABLE if error.code in _UNREACHABLE else USAGE)


async def _check(
    options: CheckOptions, headers: Headers, credentials: Credentials | None, wanted: list[tuple[str, Path]]
) -> int:
    policy = OutgoingPolicy(allow_private=True)
    async with HttpClient(policy, limits=DESCRIPTION_LIMITS, verify=options.verify_tls) as client:
        found = await _discover(options, client, headers, credentials)
    async with HttpClient(
        policy, max_connections=options.workers, verify=options.verify_tls, resend_stale=True
    ) as client:
        base_url = _base_url(options, found)
        plan = ScanPlan(
            found.description,
            base_url,
            ScanType(options.scan_type),
            credentials,
            headers,
            options.seed,
            ScanLimits(options.rate, options.workers, options.max_requests, options.max_seconds),
        )
        count = len(found.description.operations)
        observer = _Terminal()
        with observer.watching(redact_text(f"touchstone: {count} operations in {found.where}, scanning {base_url}")):
            result = await run_scan(plan, client.send, observer=observer)
    report = report_of(result, target=base_url, spec=found.where)
    code = _exit_code(result, options.fail_on, observer.interrupted)
    unwritten = _write(report, wanted)
    _print(report, result, code, options.as_json)
    if unwritten:
        raise UsageError(unwritten)
    return code


def _write(report: Report, wanted: list[tuple[str, Path]]) -> str:
    """What went wrong; a scan is told of all the same."""
    faults = []
    for kind, path in wanted:
        try:
            path.write_bytes(reports.get(kind)(report))
        except OSError as error:
            faults.append(f"--report {kind}={path}: {error.strerror}")
    return "\n".join(faults)


async def _discover(
    options: CheckOptions, client: HttpClient, headers: Headers, credentials: Credentials | None
) -> Discovered:
    async def authorise(url: str) -> Credentials:
        # Credentials are for the API; the document gets them only from where the API is.
        return replace(credentials or Credentials(), headers=headers + (credentials.headers if credentials else ()))

    if "://" in options.spec:
        tools = discovery_tools(client, authorise)
        (found,) = await strategies.get("openapi").look(Subject(base_url=options.spec), tools)
        return found
    description = await _described(options.spec)
    return Discovered(description, description.dialect, options.spec)


def _base_url(options: CheckOptions, found: Discovered) -> str:
    servers = found.description.servers
    if base_url := resolve_base_url(servers, found.where, options.base_url):
        return base_url
    if "://" in options.spec and found.where != options.spec:
        return base_url_at(options.spec, servers)
    if servers and "://" not in servers[0]:
        raise UsageError(f"the spec says that the API runs at {servers[0]!r} of where it came from: give --base-url")
    if servers:
        raise UsageError(
            f"the spec says that the API runs at {servers[0]}, which is elsewhere: confirm with --base-url"
        )
    raise UsageError("the spec does not say where the API runs: give --base-url")


async def _described(name: str) -> ApiDescription:
    try:
        if name == "-":
            return await read_description(sys.stdin.buffer.read())
        return await read_spec_file(Path(name))
    except OSError as error:
        hint = f"; for an API on the network write http://{name}" if ":" in name or name.startswith("www.") else ""
        raise UsageError(f"{name!r}: {error.strerror or error}{hint}") from None


def _exit_code(result: ScanResult, fail_on: str, interrupted: bool) -> int:
    if interrupted:
        return INTERRUPTED
    if result.stopped is Stopped.UNREACHABLE:
        return UNREACHABLE
    if result.unauthorised:
        return NOT_AUTHORISED
    lowest = 0 if fail_on == "info" else Severity(fail_on).rank
    return FOUND if any(finding.severity.rank >= lowest for finding in result.findings) else GOOD


def _print(report: Report, result: ScanResult, code: int, as_json: bool) -> None:
    if as_json:
        typer.echo(reports.get("json")(report).decode())
    else:
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        typer.echo(render(report, color=color, failed=code != GOOD), nl=False)
    skipped = Counter(operation.skipped for operation in result.operations if operation.skipped)
    for reason, count in skipped.items():
        typer.echo(f"touchstone: {count} of {len(result.operations)} operations were skipped: {reason}", err=True)
    if code == INTERRUPTED:
        typer.echo("touchstone: interrupted; not everything was tried", err=True)
    remarks = {
        Stopped.MAX_REQUESTS: "stopped at --max-requests; not everything was tried",
        Stopped.MAX_SECONDS: "stopped at --max-time; not everything was tried",
        Stopped.UNREACHABLE: f"the target {report.target} cannot be reached",
    }
    if result.stopped in remarks:
        typer.echo(f"touchstone: {remarks[result.stopped]}", err=True)
    asked = [operation for operation in result.operations if operation.requests]
    absent = [operation for operation in asked if set(operation.statuses) <= {"404", "405"}]
    if len(absent) * 2 > len(asked):
        typer.echo(
            f"touchstone: {len(absent)} of {len(asked)} operations seem not to be at {report.target}: "
            "is it the right address? See --base-url",
            err=True,
        )
    if result.unauthorised:
        typer.echo("touchstone: the target accepted no request for want of valid credentials: see --auth", err=True)
    elif refused := [operation for operation in asked if set(operation.statuses) <= {"401", "403"}]:
        typer.echo(
            f"touchstone: {len(refused)} of {len(asked)} operations refused every request for want of credentials: "
            "see --auth",
            err=True,
        )
    if result.left_behind:
        noun = "thing" if result.left_behind == 1 else "things"
        typer.echo(f"touchstone: {result.left_behind} {noun} that the scan created could not be deleted", err=True)
    for line in result.internal_errors:
        typer.echo(f"touchstone: {line}", err=True)


def _header(number: int, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        # Not quoted: it may well be the secret alone.
        raise UsageError(f"-H, number {number}: write 'Name: value'")
    return name.strip(), value.strip()


def _credentials(text: str | None) -> Credentials | None:
    if text is None:
        return None
    kind, _, value = text.partition(":")
    if kind == "env":
        variable = os.environ.get(value)
        if variable is None:
            raise UsageError(f"--auth {text}: the environment has no {value}")
        kind, _, value = variable.partition(":")
    name, equals, secret = value.partition("=")
    remember(value, secret, value.partition(":")[2])
    match kind:
        case "basic" if ":" in value:
            from base64 import b64encode

            return Credentials(headers=(("Authorization", f"Basic {b64encode(value.encode()).decode()}"),))
        case "bearer" if value:
            return Credentials(headers=(("Authorization", f"Bearer {value}"),))
        case "header" if name and equals:
            return Credentials(headers=((name, secret),))
        case "query" if name and equals:
            return Credentials(query=((name, secret),))
    raise UsageError(f"--auth: write {AUTH_HELP}")


def _report_files(texts: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Checked before anything is sent: a scan is too dear to lose its report to a typing error."""
    files = []
    for text in texts:
        kind, equals, path = text.partition("=")
        if not equals or kind not in reports.names():
            raise UsageError(f"--report {text}: write KIND=PATH with one of {', '.join(reports.names())}")
        folder = Path(path).resolve().parent
        if not path or Path(path).is_dir():
            raise UsageError(f"--report {text}: name a file, not a folder")
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(f"--report {text}: cannot write in {folder}")
        files.append((kind, Path(path)))
    return files


class _Terminal:
    """Observes the scan for a person: a bar on stderr when that is a terminal. Ctrl-C and SIGTERM end the scan in
    good order: what it created is deleted, and what it found is told."""

    def __init__(self) -> None:
        self.interrupted = False
        self._bar: Progress | None = None

    @contextlib.contextmanager
    def watching(self, opening: str) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._interrupt)
        try:
            typer.echo(opening, err=True)
            with self._progress() as self._bar:
                yield
        finally:
            for number in _STOP_SIGNALS:
                loop.remove_signal_handler(number)

    def _progress(self) -> contextlib.AbstractContextManager["Progress | None"]:
        if not sys.stderr.isatty():
            return contextlib.nullcontext()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[findings]} findings"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.add_task("", total=None, findings=0)
        return bar

    def _interrupt(self) -> None:
        self.interrupted = True
        for number in _STOP_SIGNALS:  # a second one ends at once
            asyncio.get_running_loop().remove_signal_handler(number)

    async def test_run(self, run: TestRun) -> None:
        pass

    async def finding(self, finding: Finding) -> None:
        if self._bar is not None:
            task = self._bar.tasks[0]
            self._bar.update(task.id, findings=task.fields["findings"] + 1)

    async def progress(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.update(self._bar.tasks[0].id, completed=done, total=total)

    async def should_stop(self) -> bool:
        return self.interrupted
