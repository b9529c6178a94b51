"""A capture to operations, with a report of what was taken and what was not."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.model import (
    DEFAULT_LIMITS,
    CaptureError,
    CaptureLimits,
    CaptureReport,
    Skipped,
    Unusable,
)
from backend.app.modules.endpoints.discovery.captures.operations import Collector
from backend.app.modules.endpoints.discovery.captures.source import Progress, Source

_LONGEST_NAME = 255
_MOST_REASONS = 100


def read_capture(
    data: Path | bytes,
    *,
    name: str = "",
    base_url: str | None = None,
    known: Iterable[str] = (),
    limits: CaptureLimits = DEFAULT_LIMITS,
    progress: Progress = lambda done, total: None,
) -> CaptureReport:
    """Reads a file, a folder, an archive or content of any format that is registered; the content tells which.

    `name` is what the file is called, for people. With `base_url` only requests below it are taken, and paths begin
    behind it. `known` are paths that others know, as templates. `progress` is called with the bytes (files of a folder)
    that were read and that there are; what it raises ends the reading.

    Raises `CaptureError`: `capture.unknown_format`, `.unreadable`, `.too_large`, `.too_many_files`, `.bad_archive`,
    `.not_utf8`, `.bad_base_url`, and for formats that are read as a whole what `parse_document` refuses
    (`capture.syntax`).
    """
    source = Source(data, limits, progress)
    kind, plugin = _format_of(source)
    try:
        collector = Collector(limits, base_url, known)
    except ValueError:
        raise CaptureError("capture.bad_base_url", "the base URL cannot be read") from None
    skipped: dict[str, tuple[int, str]] = {}
    entries = taken = 0
    for item in plugin.read(source):
        entries += 1
        if entries > limits.entries:
            _skip(skipped, f"what follows the first {limits.entries} entries", item.where)
            break
        reason = item.reason if isinstance(item, Unusable) else collector.add(item)
        if reason:
            _skip(skipped, reason, item.where)
        else:
            taken += 1
    captured, flows, left_out = collector.finish()
    mask = collector.masker.mask
    report = [Skipped(mask(reason), count, mask(first)) for reason, (count, first) in skipped.items()]
    report += [Skipped(reason, count, first) for reason, count, first in left_out]
    return CaptureReport(
        name=mask(display_name(name or (data.name if isinstance(data, Path) else ""))),
        format=kind,
        entries=entries,
        taken=taken - sum(count for _, count, _ in left_out),
        captured=captured,
        security_schemes={scheme: collector.security_schemes[scheme] for scheme in sorted(collector.security_schemes)},
        skipped=tuple(sorted(report, key=lambda each: (-each.count, each.reason))),
        flows=flows,
    )


def format_of(data: Path | bytes) -> str | None:
    """The format by its registered name; None when it is none that is known, or cannot be read.

    A pipe is not looked into: what is read from it is gone."""
    if isinstance(data, Path) and not (data.is_file() or data.is_dir()):
        return None
    try:
        return _format_of(Source(data, DEFAULT_LIMITS, lambda done, total: None))[0]
    except CaptureError:
        return None


def display_name(name: str, nameless: str = "capture") -> str:
    """The name of a file as it may be shown: its last part, without control and formatting characters (Unicode
    category C), in 255 bytes of UTF-8."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    shown = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip()
    return shown.encode()[:_LONGEST_NAME].decode(errors="ignore") or nameless


def _format_of(source: Source) -> tuple[str, Format]:
    for name, plugin in formats.items():
        if plugin.recognise(source):
            return name, plugin
    raise CaptureError("capture.unknown_format", f"the content is none of: {', '.join(formats.names())}")


def _skip(skipped: dict[str, tuple[int, str]], reason: str, where: str) -> None:
    if reason not in skipped and len(skipped) >= _MOST_REASONS:
        reason = "other reasons"
    count, first = skipped.get(reason, (0, where))
    skipped[reason] = count + 1, first
