"""Postman collections, format 2.0 and 2.1: folders, variables, auth, and the answers that were saved."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote_plus, urlencode

from backend.app.engine.http import Headers
from backend.app.engine.spec.model import Json, below
from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.masking import is_secret
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.placeholders import filled, without_unknown_host
from backend.app.modules.endpoints.discovery.captures.source import Source

_MARK = re.compile(rb'"_postman_id"\s*:|schema\.(?:get)?postman\.com/')
_FILES = re.compile(r"\.postman_collection\.json$|(?:^|/)collections?/[^/]+\.json$")
"""Collections in an archive, as they are exported one by one and all together."""
_ITEMS = re.compile(rb'"(?:item|info|collection)"\s*:')


def recognise(source: Source) -> bool:
    if source.is_folder:
        return False
    if source.names:
        return any(map(_FILES.search, source.names))
    head = source.head.lstrip()
    return head.startswith(b"{") and _MARK.search(head) is not None and _ITEMS.search(head) is not None


def read(source: Source) -> Iterator[Item]:
    if not source.names:
        yield from _collection(source.document())
        return
    for name, content in source.files():
        if _FILES.search(name) is None:
            continue
        if content is None:
            yield Unusable(name, "a file that is too large or cannot be read")
            continue
        try:
            document = source.parsed(content)
        except CaptureError as error:
            yield Unusable(name, f"no collection: {error.message}")
            continue
        for item in _collection(document):
            yield replace(item, where=f"{name}#{item.where}")


def _collection(document: dict[str, Json]) -> Iterator[Item]:
    collection, pointer = _of(document, "collection") or document, "/collection" if "collection" in document else ""
    yield from _folder(collection, pointer, (), {}, collection.get("auth"))


def _folder(
    folder: dict[str, Json], pointer: str, names: tuple[str, ...], variables: Mapping[str, str], auth: Json
) -> Iterator[Item]:
    variables = {**variables, **_pairs(folder.get("variable"), key="key")}
    items = folder.get("item")
    if not isinstance(items, list):
        yield Unusable(pointer, "no list of items")
        return
    # The depth of the document is limited, so is the recursion.
    for index, item in enumerate(items):
        at = below(pointer, "item", index)
        if not isinstance(item, dict):
            yield Unusable(at, "neither a folder nor a request")
        elif "item" in item:
            yield from _folder(item, at, (*names, _text(item, "name")), variables, item.get("auth") or auth)
        else:
            yield from _request(item, at, names, variables, auth)


def _request(
    item: dict[str, Json], at: str, names: tuple[str, ...], variables: Mapping[str, str], auth: Json
) -> Iterator[Item]:
    request = item.get("request")
    if isinstance(request, str):
        request = {"url": request}
    if not isinstance(request, dict):
        yield Unusable(at, "no request")
        return
    variables = {**variables, **_pairs(item.get("variable"), key="key")}
    planned = _entry(request, at, variables, request.get("auth") or auth)
    if planned is None:
        yield Unusable(at, "no URL")
        return
    name, folder = _text(item, "name"), names[0] if names else ""
    yield replace(planned, name=name, folder=folder)
    answers = item.get("response")
    for index, answer in enumerate(answers if isinstance(answers, list) else []):
        where = below(at, "response", index)
        if not isinstance(answer, dict) or not isinstance(answer.get("code"), int):
            yield Unusable(where, "an answer without a status")
            continue
        asked = answer.get("originalRequest")
        entry = _entry(asked, where, variables, auth) if isinstance(asked, dict) else None
        headers = _headers(answer.get("header"), variables)
        yield replace(
            entry or planned,
            where=where,
            method=planned.method,
            name=name,
            folder=folder,
            status=answer["code"],
            answer_headers=headers,
            answer_type=_header(headers, "content-type"),
            answer_body=_text(answer, "body"),
        )


def _entry(request: dict[str, Json], where: str, variables: Mapping[str, str], auth: Json) -> Entry | None:
    url = _url(request.get("url"), variables)
    if not url:
        return None
    headers = _headers(request.get("header"), variables)
    more, query = _auth(auth, variables)
    body, kind = _body(request.get("body"), variables)
    if query:
        url += ("&" if "?" in url else "?") + query
    return Entry(
        where=where,
        method=filled(_text(request, "method") or "GET", variables),
        url=url,
        headers=headers + more,
        body=body,
        body_type=_header(headers, "content-type") or kind,
        secrets=tuple(value for name, value in variables.items() if is_secret(name)),
    )


def _url(url: Json, variables: Mapping[str, str]) -> str:
    if isinstance(url, str):
        return without_unknown_host(filled(url, variables))
    if not isinstance(url, dict):
        return ""
    raw = _text(url, "raw")
    if not raw:
        host, path = url.get("host"), url.get("path")
        host = ".".join(map(str, host)) if isinstance(host, list) else str(host or "")
        path = "/".join(str(each) for each in path) if isinstance(path, list) else str(path or "")
        raw = f"{_text(url, 'protocol') or 'http'}://{host}/{path.lstrip('/')}" if host else f"/{path.lstrip('/')}"
        query = [each for each in url.get("query") or () if isinstance(each, dict) and not each.get("disabled")]
        if query:
            raw += "?" + "&".join(f"{_text(each, 'key')}={_text(each, 'value')}" for each in query)
    return without_unknown_host(filled(raw, variables))


def _auth(auth: Json, variables: Mapping[str, str]) -> tuple[Headers, str]:
    """The header or the part of the query that carries the credentials."""
    if not isinstance(auth, dict):
        return (), ""
    kind = _text(auth, "type")
    raw = auth.get(kind)
    values = {name: filled(value, variables) for name, value in _pairs(raw, key="key").items()}
    if isinstance(raw, dict):
        values = {name: filled(str(value), variables) for name, value in raw.items()}
    match kind:
        case "bearer" | "oauth2":
            return (("Authorization", f"Bearer {values.get('token') or values.get('accessToken', '')}"),), ""
        case "basic":
            pair = f"{values.get('username', '')}:{values.get('password', '')}"
            return (("Authorization", "Basic " + base64.b64encode(pair.encode(errors="replace")).decode()),), ""
        case "apikey":
            name, value = values.get("key", ""), values.get("value", "")
            if values.get("in") == "query":
                return (), f"{quote_plus(name, errors='replace')}={quote_plus(value, errors='replace')}"
            return ((name, value),), ""
        case "" | "noauth":
            return (), ""
    return (("Authorization", kind),), ""


def _body(body: Json, variables: Mapping[str, str]) -> tuple[str, str]:
    if not isinstance(body, dict) or body.get("disabled"):
        return "", ""
    mode = _text(body, "mode")
    fields = _pairs(body.get(mode), key="key")
    match mode:
        case "raw":
            language = _of(_of(body, "options"), "raw").get("language")
            kinds = {"json": "application/json", "xml": "application/xml", "text": "text/plain"}
            return filled(_text(body, "raw"), variables, "0"), kinds.get(str(language), "")
        case "urlencoded":
            return urlencode(fields, errors="replace"), "application/x-www-form-urlencoded"
        case "formdata":
            names = "".join(f'Content-Disposition: form-data; name="{name}"\r\n\r\n' for name in fields)
            return names, "multipart/form-data"
        case "graphql":
            return '{"query": "", "variables": {}}', "application/json"
        case "file":
            return "file", "application/octet-stream"
    return "", ""


def _headers(headers: Json, variables: Mapping[str, str]) -> Headers:
    return tuple((name, filled(value, variables, "0")) for name, value in _pairs(headers, key="key").items() if name)


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _pairs(items: Json, *, key: str) -> dict[str, str]:
    """Of a list of objects with a key and a value, those that are not disabled."""
    if not isinstance(items, list):
        return {}
    return {
        str(each[key]): "" if each.get("value") is None else str(each["value"])
        for each in items
        if isinstance(each, dict) and each.get(key) is not None and not each.get("disabled")
    }


def _of(node: Mapping[str, Json], name: str) -> dict[str, Json]:
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def _text(node: Mapping[str, Json], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


formats.register("postman")(Format("Postman collections, format 2.0 and 2.1", recognise, read))
