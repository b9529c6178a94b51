"""`touchstone diff`: what differs between two descriptions of an API, and whether it breaks its clients."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from backend.app.commands.terminal import (
    FOUND,
    GOOD,
    INTERRUPTED,
    UNREACHABLE,
    USAGE,
    fail,
    print_json,
    printable,
    require_url,
    warn,
)
from backend.app.core.redaction import redact_phrases
from backend.app.engine.diff import Change, Severity, diff_descriptions, worst
from backend.app.engine.http import Outcome
from backend.app.engine.spec.model import ApiDescription, SpecError
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy
from backend.app.extensions.http_client.configure import DESCRIPTION_LIMITS
from backend.app.extensions.spec_files import read_spec_file
from backend.app.modules.endpoints.discovery import NothingDiscovered, Subject, strategies
from backend.app.modules.endpoints.looking.tools import discovery_tools

MOST_LINES = 100
"""Of changes, and of operations below one change; --all shows the others."""
_MOST_OPERATIONS = 3
_UNREACHABLE = frozenset(
    f"discovery.{outcome}" for outcome in Outcome if outcome not in (Outcome.ANSWERED, Outcome.TOO_LARGE)
)
_ANNOTATIONS = {Severity.BREAKING: "error", Severity.RISKY: "warning", Severity.SAFE: "notice"}


@dataclass(slots=True)
class Line:
    """The same words about several operations are one line."""

    severity: Severity
    rule: str
    words: str
    operations: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)


def run_diff(old: str, new: str, fail_on: str, output: str, *, everything: bool = False) -> int:
    """The exit code. `fail_on` is a severity or `never`, `output` is `text`, `json`, `markdown` or `github`."""
    try:
        for source in (old, new):
            if "://" in source:
                require_url("OLD" if source is old else "NEW", source)
        before, after = asyncio.run(_both(old, new))
    except SpecError as error:
        fail(redact_phrases(str(error)), USAGE)
    except NothingDiscovered as error:
        fail(redact_phrases(error.message), UNREACHABLE if error.code in _UNREACHABLE else USAGE)
    except OSError as error:
        fail(f"{error.filename!r}: {error.strerror or error}", USAGE)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    changes = diff_descriptions(before, after)
    lines = _lines(changes)
    most = len(lines) if everything else MOST_LINES
    match output:
        case "json":
            print_json(_as_json(changes))
        case "markdown":
            typer.echo("\n".join(_as_markdown(lines[:most], changes)))
        case "github":
            for line in lines[:most]:
                typer.echo(_as_annotation(line))
            typer.echo(_verdict(changes))
        case _:
            typer.echo("\n".join(map(printable, _as_text(lines[:most], changes, everything=everything))))
    if output != "json" and len(lines) > most:
        warn(f"and {len(lines) - most} more; --all shows them")
    for name, description in ((old, before), (new, after)):
        if description.faults:
            warn(f"{redact_phrases(name)}: {len(description.faults)} faults; what is wrong in them may be left out")
    found = worst(changes)
    return FOUND if found is not None and fail_on != "never" and found.rank <= Severity(fail_on).rank else GOOD


async def _both(old: str, new: str) -> tuple[ApiDescription, ApiDescription]:
    """Both are read to the end, so that no process is left behind when one of them is refused."""
    described = await asyncio.gather(_described(old), _described(new), return_exceptions=True)
    for each in described:
        if isinstance(each, BaseException):
            raise each
    before, after = (each for each in described if isinstance(each, ApiDescription))
    return before, after


async def _described(source: str) -> ApiDescription:
    if "://" not in source:
        return await read_spec_file(Path(source))
    async with HttpClient(OutgoingPolicy(allow_private=True), limits=DESCRIPTION_LIMITS) as client:
        (found,) = await strategies.get("openapi").look(Subject(base_url=source), discovery_tools(client))
        return found.description


def _lines(changes: Sequence[Change]) -> list[Line]:
    """The worst first; within a severity those that concern most operations stand together by what they say."""
    lines: dict[tuple[str, str], Line] = {}
    for change in changes:
        line = lines.setdefault((change.rule, change.words), Line(change.severity, change.rule, change.words))
        line.operations += [key for key in change.operations if key not in line.operations]
        line.where.append(change.where)
    return sorted(lines.values(), key=lambda it: (it.severity.rank, it.operations[:1], it.where, it.rule, it.words))


def _as_text(lines: Sequence[Line], changes: Sequence[Change], *, everything: bool) -> Iterator[str]:
    for severity, of_severity in groupby(lines, key=lambda line: line.severity):
        yield severity.upper()
        for subject, below in groupby(of_severity, key=lambda line: _subject(line, everything=everything)):
            yield f"  {subject}"
            for line in below:
                yield f"    {line.words}  [{line.rule}]"
        yield ""
    yield _verdict(changes)


def _as_markdown(lines: Sequence[Line], changes: Sequence[Change]) -> Iterator[str]:
    yield f"**{_verdict(changes)}**"
    for severity, of_severity in groupby(lines, key=lambda line: line.severity):
        yield ""
        yield f"### {severity.capitalize()}"
        yield ""
        for line in of_severity:
            yield f"- {_escaped(_subject(line, everything=False))}: {_escaped(line.words)} (`{line.rule}`)"


def _as_annotation(line: Line) -> str:
    """A workflow command of GitHub Actions, which shows it beside the run."""
    said = f"{_subject(line, everything=False)}: {line.words}"
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        said = said.replace(character, code)
    return f"::{_ANNOTATIONS[line.severity]} title=API {line.severity} ({line.rule})::{printable(said)}"


def _as_json(changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "counts": {severity.value: sum(each.severity is severity for each in changes) for severity in Severity},
        "changes": [
            {
                "rule": change.rule,
                "severity": change.severity,
                "operations": list(change.operations),
                "where": change.where,
                "words": change.words,
            }
            for change in changes
        ],
    }


def _subject(line: Line, *, everything: bool) -> str:
    operations = line.operations
    if not operations:
        return "the API"
    shown = operations if everything else operations[:_MOST_OPERATIONS]
    more = len(operations) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _verdict(changes: Sequence[Change]) -> str:
    if not changes:
        return "No change that a client could notice."
    counts = [(sum(each.severity is severity for each in changes), severity) for severity in Severity]
    return ", ".join(f"{count} {severity}" for count, severity in counts) + "."


def _escaped(text: str) -> str:
    """Nothing that Markdown or HTML would take for markup; what a document says is not to be trusted."""
    return "".join(f"\\{it}" if it in "\\`*_[]<>|#!&" else it for it in printable(text))
