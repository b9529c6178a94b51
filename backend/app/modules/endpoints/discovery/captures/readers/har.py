"""HAR 1.2, as browsers and proxies write it (http://www.softwareishard.com/blog/har-12-spec/)."""

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from backend.app.engine.http import Headers
from backend.app.engine.spec.model import Json
from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.source import Source
from backend.app.modules.endpoints.discovery.captures.stream import BrokenJson, Malformed, Oversized, elements

_LOG = re.compile(rb'"log"\s*:\s*\{')
_MEMBERS = re.compile(rb'"(?:creator|browser|pages|entries)"\s*:')
_PARTS_OF_PAGES = frozenset({"stylesheet", "script", "image", "font", "media", "manifest", "texttrack"})
_MOST_HEADERS = 200


def recognise(source: Source) -> bool:
    head = source.head.lstrip()
    return head.startswith(b"{") and _LOG.search(head) is not None and _MEMBERS.search(head) is not None


def read(source: Source) -> Iterator[Item]:
    index = 0
    try:
        for index, element in enumerate(elements(source.text(), ("log", "entries"), source.limits.entry_bytes)):
            yield _item(f"/log/entries/{index}", element)
    except BrokenJson as fault:
        yield Unusable(f"/log/entries/{index}", f"the rest of the file: {fault}")
    except CaptureError as error:
        if error.code != "capture.not_utf8" or index == 0:
            raise
        yield Unusable(error.where, "the rest of the file, which is not UTF-8")


def _item(where: str, raw: Any) -> Item:
    if raw is Oversized:
        return Unusable(where, "larger than an entry may be")
    if raw is Malformed:
        return Unusable(where, "no JSON")
    request, response = (_of(raw, "request"), _of(raw, "response")) if isinstance(raw, dict) else ({}, {})
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        return Unusable(where, "no request with a method and a URL")
    if raw.get("_resourceType") in _PARTS_OF_PAGES:
        return Unusable(where, "a part of a page")
    status = response.get("status")
    post, content = _of(request, "postData"), _of(response, "content")
    headers, answer_headers = _headers(request), _headers(response)
    return Entry(
        where=where,
        method=method,
        url=url,
        headers=headers,
        body=_body(post),
        body_type=_text(post, "mimeType") or _header(headers, "content-type") if post else "",
        status=status if isinstance(status, int) else 0,
        answer_headers=answer_headers,
        answer_type=_header(answer_headers, "content-type") or _text(content, "mimeType"),
        answer_body=_content(content),
    )


def _of(node: dict[str, Json], name: str) -> dict[str, Json]:
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def _text(node: dict[str, Json], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


def _headers(node: dict[str, Json]) -> Headers:
    headers = node.get("headers")
    if not isinstance(headers, list):
        return ()
    return tuple(
        (each["name"], each["value"])
        for each in headers[:_MOST_HEADERS]
        if isinstance(each, dict) and isinstance(each.get("name"), str) and isinstance(each.get("value"), str)
    )


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _body(post: dict[str, Json]) -> str:
    text = _text(post, "text")
    params = post.get("params")
    if text or not isinstance(params, list):
        return text
    pairs = [(_text(each, "name"), _text(each, "value")) for each in params if isinstance(each, dict)]
    if "multipart" in _text(post, "mimeType").lower():
        return "".join(f'Content-Disposition: form-data; name="{name}"\r\n\r\n' for name, _ in pairs)
    return urlencode(pairs, errors="replace")


def _content(content: dict[str, Json]) -> str:
    text = _text(content, "text")
    if content.get("encoding") != "base64":
        return text
    if not re.search("json|text|form|xml", _text(content, "mimeType")):
        return ""
    try:
        return base64.b64decode(text).decode(errors="replace")
    except ValueError:
        return ""


formats.register("har")(Format("HAR 1.2: what a browser or a proxy recorded", recognise, read))
