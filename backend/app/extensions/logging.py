"""Structured logs on stderr, one JSON object a line: `timestamp`, `level`, `event`, `module_id`, `request_id`,
`user_id`, and whatever the call binds. Standard-library loggers (uvicorn, rq, alembic) go the same way. Fields are
masked by name, and the finished line, traces included, by form and by value (`core.redaction`)."""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from backend.app.core.redaction import MASK, is_secret_name, redact_line, redact_text
from backend.app.core.settings import LoggingSettings

_CONTAINERS: Final = (dict, list, tuple)


def mask_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """By the name of the field, at any depth."""
    for name in _secret_names(tuple(event)):
        if event[name] is not None:
            event[name] = MASK
    for name, value in event.items():
        if type(value) in _CONTAINERS:
            event[name] = _masked(value)
    return event


@lru_cache(maxsize=1024)
def _secret_names(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if is_secret_name(name)]


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: MASK if v is not None and is_secret_name(str(k)) else _masked(v) for k, v in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list | tuple) else value


def configure_logging(settings: LoggingSettings) -> None:
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        mask_secrets,
    ]
    if settings.format == "json":
        tail: list[Processor] = [structlog.processors.format_exc_info, _to_json, _redacted]
        logger_factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        tail = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()), _redacted]
        logger_factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=logger_factory,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _name_to_module, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail, _to_text],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING) if level > logging.DEBUG else logging.INFO)


def get_logger(module_id: str) -> structlog.typing.FilteringBoundLogger:
    """As `configure_logging` set it up: call it afterwards."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(module_id=module_id).bind())


def _stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The renderers write it: `structlog`'s own stamp costs as much as the serialiser."""
    event["timestamp"] = datetime.now(UTC)
    return event


def _to_json(_: WrappedLogger, __: str, event: EventDict) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(event, default=str).encode()


def _name_to_module(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event["module_id"] = event.pop("logger", "")
    return event


def _redacted(_: WrappedLogger, __: str, line: Any) -> Any:
    return redact_line(line) if isinstance(line, bytes) else redact_text(line)


def _to_text(_: WrappedLogger, __: str, line: Any) -> str:
    return line.decode() if isinstance(line, bytes) else str(line)
