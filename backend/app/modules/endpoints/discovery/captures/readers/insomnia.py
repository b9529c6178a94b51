"""Insomnia exports: version 4 (JSON) and version 5 (YAML)."""

import base64
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus, urlencode

from backend.app.engine.http import Headers
from backend.app.engine.spec.model import Json, below
from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.masking import is_secret
from backend.app.modules.endpoints.discovery.captures.model import Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.placeholders import filled, without_unknown_host
from backend.app.modules.endpoints.discovery.captures.source import Source

_VERSION_4 = re.compile(rb'"__export_format"\s*:\s*[34]')
_VERSION_5 = re.compile(rb'^["\']?type["\']?\s*:\s*["\']?(?:collection|spec)\.insomnia\.rest/5', re.M)
_DEEPEST = 20
"""Groups within groups."""


def recognise(source: Source) -> bool:
    return bool(_VERSION_4.search(source.head) or _VERSION_5.search(source.head))


def read(source: Source) -> Iterator[Item]:
    document = source.document()
    yield from _version_4(document) if "__export_format" in document else _version_5(document)


def _version_4(document: dict[str, Json]) -> Iterator[Item]:
    resources = document.get("resources")
    known = [each for each in resources if isinstance(each, dict)] if isinstance(resources, list) else []
    groups = {str(each.get("_id")): each for each in known if each.get("_type") == "request_group"}
    variables: dict[str, str] = {}
    for each in known:
        if each.get("_type") == "environment":
            variables |= _flat(each.get("data"))
    for index, each in enumerate(resources if isinstance(resources, list) else []):
        at = below("/resources", index)
        if not isinstance(each, dict):
            yield Unusable(at, "no object")
        elif each.get("_type") == "request":
            ours, folder = _of_groups(groups, str(each.get("parentId")))
            yield _request(each, at, {**variables, **ours}, folder)
        elif each.get("_type") in ("grpc_request", "websocket_request"):
            yield Unusable(at, "not HTTP")


def _of_groups(groups: Mapping[str, dict[str, Json]], parent: str) -> tuple[dict[str, str], str]:
    """The variables of the groups that a request is in, the inner ones first, and the name of the outermost."""
    variables: dict[str, str] = {}
    folder = ""
    for _ in range(_DEEPEST):
        if (group := groups.get(parent)) is None:
            break
        variables = {**_flat(group.get("environment")), **variables}
        folder = _text(group, "name")
        parent = str(group.get("parentId"))
    return variables, folder


def _version_5(document: dict[str, Json]) -> Iterator[Item]:
    environments = document.get("environments")
    variables: dict[str, str] = {}
    if isinstance(environments, dict):
        variables = _flat(environments.get("data"))
        for each in _list(environments, "subEnvironments"):
            if isinstance(each, dict):
                variables = {**_flat(each.get("data")), **variables}
    yield from _items(_list(document, "collection"), "/collection", variables, "")


def _items(items: list[Json], pointer: str, variables: Mapping[str, str], folder: str) -> Iterator[Item]:
    # The depth of the document is limited, so is the recursion.
    for index, each in enumerate(items):
        at = below(pointer, index)
        if not isinstance(each, dict):
            yield Unusable(at, "no object")
        elif isinstance(children := each.get("children"), list):
            ours = {**variables, **_flat(each.get("environment"))}
            yield from _items(children, f"{at}/children", ours, folder or _text(each, "name"))
        elif "method" in each or "url" in each:
            yield _request(each, at, variables, folder)
        else:
            yield Unusable(at, "neither a folder nor a request")


def _request(request: dict[str, Json], where: str, variables: Mapping[str, str], folder: str) -> Item:
    url = _text(request, "url")
    if not url:
        return Unusable(where, "no URL")
    url = without_unknown_host(filled(url, variables))
    headers = _pairs(request, "headers", variables)
    more, query = _authentication(request.get("authentication"), variables)
    parameters = _pairs(request, "parameters", variables)
    query = "&".join(filter(None, [urlencode(parameters, errors="replace"), query]))
    if query:
        url += ("&" if "?" in url else "?") + query
    body, kind = _body(request.get("body"), variables)
    return Entry(
        where=where,
        method=_text(request, "method") or "GET",
        url=url,
        headers=headers + more,
        body=body,
        body_type=next((value for name, value in headers if name.lower() == "content-type"), kind),
        name=_text(request, "name"),
        folder=folder,
        secrets=tuple(value for name, value in variables.items() if is_secret(name)),
    )


def _body(body: Json, variables: Mapping[str, str]) -> tuple[str, str]:
    if not isinstance(body, dict):
        return "", ""
    kind = _text(body, "mimeType")
    if text := _text(body, "text"):
        return filled(text, variables, "0"), kind
    fields = _pairs(body, "params", variables)
    if "multipart" in kind:
        return "".join(f'Content-Disposition: form-data; name="{name}"\r\n\r\n' for name, _ in fields), kind
    return urlencode(fields, errors="replace"), kind


def _authentication(auth: Json, variables: Mapping[str, str]) -> tuple[Headers, str]:
    """The header or the part of the query that carries the credentials."""
    if not isinstance(auth, dict) or auth.get("disabled"):
        return (), ""

    def value(name: str) -> str:
        return filled(_text(auth, name), variables)

    match auth.get("type"):
        case "bearer":
            return (("Authorization", f"{value('prefix') or 'Bearer'} {value('token')}"),), ""
        case "oauth2":
            return (("Authorization", f"Bearer {value('accessToken')}"),), ""
        case "basic":
            pair = f"{value('username')}:{value('password')}".encode(errors="replace")
            return (("Authorization", "Basic " + base64.b64encode(pair).decode()),), ""
        case "apikey":
            if auth.get("addTo") == "queryParams":
                return (
                    (),
                    f"{quote_plus(value('key'), errors='replace')}={quote_plus(value('value'), errors='replace')}",
                )
            return ((value("key"), value("value")),), ""
        case None | "none":
            return (), ""
    return (("Authorization", str(auth.get("type"))),), ""


def _pairs(node: Mapping[str, Json], name: str, variables: Mapping[str, str]) -> Headers:
    return tuple(
        (filled(_text(each, "name"), variables, "0"), filled(_text(each, "value"), variables, "0"))
        for each in _list(node, name)
        if isinstance(each, dict) and _text(each, "name") and not each.get("disabled")
    )


def _flat(data: Json) -> dict[str, str]:
    """Variables by name; of nested ones the path, as templates name them."""
    found: dict[str, str] = {}
    pending = [("", data)]
    while pending:
        prefix, node = pending.pop()
        if isinstance(node, dict):
            pending += [(f"{prefix}.{name}" if prefix else name, value) for name, value in node.items()]
        elif prefix and isinstance(node, str | int | float):
            found[prefix] = str(node)
    return found


def _list(node: Mapping[str, Json], name: str) -> list[Json]:
    value = node.get(name)
    return value if isinstance(value, list) else []


def _text(node: Mapping[str, Json], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


formats.register("insomnia")(Format("Insomnia exports, version 4 and 5", recognise, read))
