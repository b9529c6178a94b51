"""Access logs of web servers and proxies: common and combined format, and JSON, one object a line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.model import Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.source import Source

_LINE = re.compile(
    rb'[^"\[]*\[[^\]]{1,100}\] "(?P<request>(?:[^"\\]++|\\.)*+)" (?P<status>[0-9]{3})(?: |$)',
)
"""Host, identity, user, time, request line and status; what follows differs (Apache: `%h %l %u %t "%r" %>s`)."""
_REQUEST = re.compile(r"(?P<method>[A-Z]+) (?P<url>\S+)(?: HTTP/[0-9.]+)?")
_METHODS = (
    "method",
    "request_method",
    "http_method",
    "RequestMethod",
    "requestMethod",
    "cs-method",
    "verb",
    "http.request.method",
)
_URLS = (
    "request_uri", "uri", "url", "path", "RequestPath", "requestUrl", "request_path", "http.url", "cs-uri-stem",
    "url.path", "url.original", "target",
)  # fmt: skip
_STATUSES = (
    "status", "status_code", "statusCode", "response_code", "DownstreamStatus", "OriginStatus", "sc-status", "code",
    "http.response.status_code", "response_status",
)  # fmt: skip
_HOSTS = ("host", "http_host", "server_name", "RequestHost", "authority", "vhost", "url.domain")
_NESTED = ("request", "http", "req", "httpRequest", "response", "res", "url", "log")
_LOOKED_AT = 20
"""Lines by which the format is told."""


def recognise(source: Source) -> bool:
    lines = [line for line in source.head.split(b"\n")[:_LOOKED_AT] if line.strip()]
    known = sum(_is_known(line) for line in lines)
    return bool(lines) and known * 2 > len(lines) - (len(lines) > 1)


def read(source: Source) -> Iterator[Item]:
    for number, line in source.lines():
        if line is None:
            yield Unusable(f"line {number}", "larger than an entry may be")
        elif line := line.strip():
            where = f"line {number}"
            yield _from_json(where, line) if line.startswith(b"{") else _from_text(where, line)


def _is_known(line: bytes) -> bool:
    return isinstance(_from_json("", line) if line.startswith(b"{") else _from_text("", line), Entry)


def _from_text(where: str, line: bytes) -> Item:
    match = _LINE.match(line)
    if match is None:
        return Unusable(where, "no line of an access log")
    request = match["request"].decode(errors="replace")
    if "\\" in request:
        request = request.replace('\\"', '"')
    return _entry(where, request, int(match["status"]))


def _from_json(where: str, line: bytes) -> Item:
    try:
        record = orjson.loads(line)
    except ValueError:
        return Unusable(where, "no JSON")
    if not isinstance(record, dict):
        return Unusable(where, "no line of an access log")
    for name in _NESTED:
        if isinstance(inner := record.get(name), dict):
            record = {**{f"{name}.{key}": value for key, value in inner.items()}, **inner, **record}
    status = _first(record, _STATUSES)
    if not re.fullmatch("[0-9]{3}", status):
        return Unusable(where, "no status")
    method, url = _first(record, _METHODS), _first(record, _URLS)
    if not method or not url:
        return _entry(where, _first(record, ("request", "request_line", "message")), int(status))
    if (
        url.startswith("/")
        and (query := _first(record, ("query_string", "args", "query", "url.query")))
        and "?" not in url
    ):
        url = f"{url}?{query.removeprefix('?')}"
    return _entry(where, f"{method.upper()} {url}", int(status), _first(record, _HOSTS))


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""


def _entry(where: str, request: str, status: int, host: str = "") -> Item:
    match = _REQUEST.fullmatch(request)
    if match is None:
        return Unusable(where, "no request line of HTTP")
    url = match["url"]
    if url.startswith("/") and re.fullmatch(r"[A-Za-z0-9.-]+(?::[0-9]+)?", host):
        url = f"http://{host}{url}"
    return Entry(where=where, method=match["method"], url=url, status=status)


formats.register("access-log")(Format("Access logs: common, combined, or a JSON object a line", recognise, read))
