"""Bruno collections: a `.bru` file, or a folder or an archive of them."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote_plus, urlencode

from backend.app.engine.http import Headers
from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.masking import is_secret
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.placeholders import filled, without_unknown_host
from backend.app.modules.endpoints.discovery.captures.source import Source

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "options", "head", "trace", "connect"})
_START = re.compile(r"([a-z][A-Za-z0-9:-]*) ([{\[])\s*")
_FIRST = re.compile(rb"^(?:meta|vars|get|post|put|patch|delete|options|head) \{\s*$", re.M)
_SUFFIX = ".bru"
_TYPES = {
    "json": "application/json", "xml": "application/xml", "text": "text/plain", "graphql": "application/json",
    "form-urlencoded": "application/x-www-form-urlencoded", "multipart-form": "multipart/form-data",
    "sparql": "application/sparql-query",
}  # fmt: skip


@dataclass(slots=True)
class _File:
    blocks: dict[str, list[str]] = field(default_factory=dict)
    """Lines by the name of the block."""

    def pairs(self, block: str) -> dict[str, str]:
        """What is not switched off (`~name: value`)."""
        found = {}
        for line in self.blocks.get(block, ()):
            name, sign, value = line.strip().partition(":")
            if sign and not name.startswith("~"):
                found[name.strip().strip('"').lstrip("@")] = value.strip()
        return found

    def text(self, block: str) -> str:
        return "\n".join(self.blocks.get(block, ()))


def recognise(source: Source) -> bool:
    if source.is_folder:
        # A folder with a collection somewhere below is one of source code.
        return bool({"bruno.json", "collection.bru"} & source.top)
    return any(name.endswith(_SUFFIX) for name in source.names) or _FIRST.match(source.head.lstrip()) is not None


def read(source: Source) -> Iterator[Item]:
    if not source.names:
        yield from _file("", source.content(), {}, {})
        return
    variables: dict[str, str] = {}
    folders: dict[str, _File] = {}
    # What applies to all requests of a folder stands anywhere in the order.
    for name, content in source.files():
        path = PurePosixPath(name)
        if path.suffix == _SUFFIX and content is not None and (parsed := _parsed(content)) is not None:
            if "environments" in path.parts[:-1] or path.name == "collection.bru":
                variables |= parsed.pairs("vars") | parsed.pairs("vars:pre-request")
            if path.name in ("collection.bru", "folder.bru"):
                folders[str(path.parent)] = parsed
    for name, content in source.files():
        path = PurePosixPath(name)
        if path.suffix == _SUFFIX and path.name not in ("collection.bru", "folder.bru"):
            if "environments" not in path.parts[:-1]:
                yield from _file(name, content, variables, folders)
        elif path.suffix not in (".json", ".js", ".md", ".env", ".gitignore", _SUFFIX):
            yield Unusable(name, "no file of Bruno")


def _file(
    name: str, content: bytes | None, variables: Mapping[str, str], folders: Mapping[str, _File]
) -> Iterator[Item]:
    if content is None:
        yield Unusable(name, "a file that is too large or cannot be read")
        return
    file = _parsed(content)
    if file is None:
        if not name:
            raise CaptureError("capture.not_utf8", "the file is not UTF-8")
        yield Unusable(name, "a file that is not UTF-8")
        return
    above = [folders[str(parent)] for parent in PurePosixPath(name).parents if str(parent) in folders] if name else []
    yield _request(name, file, variables, above)


def _parsed(content: bytes) -> _File | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    file = _File()
    lines: list[str] | None = None
    for line in text.splitlines():
        if lines is None:
            if (match := _START.fullmatch(line)) is not None:
                lines = file.blocks.setdefault(match[1], [])
        elif line.rstrip() in ("}", "]"):
            lines = None
        else:
            lines.append(line.removeprefix("  "))
    return file


def _request(name: str, file: _File, variables: Mapping[str, str], above: list[_File]) -> Item:
    where = name or file.pairs("meta").get("name") or "file"
    method = next((block for block in file.blocks if block in _METHODS), "")
    if not method:
        kind = file.pairs("http")
        method = kind.get("method", "").lower()
        line = kind
    else:
        line = file.pairs(method)
    url = line.get("url", "")
    if not method or not url:
        return Unusable(where, "no request with a method and a URL")
    variables = {**variables, **file.pairs("vars:pre-request")}
    url = without_unknown_host(filled(url, variables))
    headers = tuple(
        (key, filled(value, variables, "0"))
        for each in [*reversed(above), file]
        for key, value in each.pairs("headers").items()
    )
    more, query = _auth(line.get("auth", ""), file, above, variables)
    if query:
        url += ("&" if "?" in url else "?") + query
    if "?" not in url and (given := file.pairs("params:query") or file.pairs("query")):
        url += "?" + urlencode({key: filled(value, variables, "0") for key, value in given.items()}, errors="replace")
    body, kind_of_body = _body(line.get("body", ""), file, variables)
    return Entry(
        where=where,
        method=method,
        url=url,
        headers=headers + more,
        body=body,
        body_type=next((value for key, value in headers if key.lower() == "content-type"), kind_of_body),
        name=file.pairs("meta").get("name", ""),
        folder=PurePosixPath(name).parent.name if name else "",
        secrets=tuple(value for key, value in variables.items() if is_secret(key)),
    )


def _body(mode: str, file: _File, variables: Mapping[str, str]) -> tuple[str, str]:
    mode = {"formUrlEncoded": "form-urlencoded", "multipartForm": "multipart-form"}.get(mode, mode)
    kind = _TYPES.get(mode, "")
    block = f"body:{mode}"
    if mode == "form-urlencoded":
        return urlencode(
            {key: filled(value, variables, "0") for key, value in file.pairs(block).items()}, errors="replace"
        ), kind
    if mode == "multipart-form":
        return "".join(f'Content-Disposition: form-data; name="{key}"\r\n\r\n' for key in file.pairs(block)), kind
    if mode == "graphql":
        return '{"query": "", "variables": {}}', kind
    return filled(file.text(block) or file.text("body"), variables, "0"), kind


def _auth(mode: str, file: _File, above: list[_File], variables: Mapping[str, str]) -> tuple[Headers, str]:
    """The header or the part of the query that carries the credentials."""
    source = file
    if mode == "inherit":
        for each in above:
            mode = each.pairs("auth").get("mode", "")
            if mode and mode != "inherit":
                source = each
                break
    values = {key: filled(value, variables) for key, value in source.pairs(f"auth:{mode}").items()}
    match mode:
        case "" | "none" | "inherit":
            return (), ""
        case "bearer" | "oauth2":
            return (("Authorization", f"Bearer {values.get('token', '')}"),), ""
        case "basic":
            pair = f"{values.get('username', '')}:{values.get('password', '')}".encode(errors="replace")
            return (("Authorization", "Basic " + base64.b64encode(pair).decode()),), ""
        case "apikey":
            key, value = values.get("key", ""), values.get("value", "")
            if values.get("placement") == "queryparams":
                return (), f"{quote_plus(key, errors='replace')}={quote_plus(value, errors='replace')}"
            return ((key, value),), ""
    return (("Authorization", mode),), ""


formats.register("bruno")(Format("Bruno collections: a file, a folder or an archive", recognise, read))
