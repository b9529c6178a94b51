"""One operation and the values of its inputs as the exact bytes of a request.

Parameters follow OpenAPI 3.1, 4.8.12 (`style` and `explode`, which are RFC 6570 expansions); percent-encoding leaves
only the unreserved characters of RFC 3986, 2.3 as they are.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from urllib.parse import quote, urlsplit

import orjson

from backend.app.engine.http import Headers, Request
from backend.app.engine.spec.model import (
    ApiDescription,
    Json,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    SecurityKind,
)

NO_BODY: Json = object()
"""Stands for a request without a body, because `None` is the JSON value null."""

HEADERS_WE_SET = frozenset({"accept", "authorization", "content-type", "content-length", "host", "connection"})
"""The first three are ignored as parameters by the standard itself (OpenAPI 3.1, 4.8.12.1)."""

CONDITIONAL_HEADERS = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"}
)
"""RFC 9110, 13.1 and 14.2: with a made-up value they turn a good answer into 304, 412 or 416."""

ParameterKey = tuple[ParameterLocation, str]


class UnsupportedBodyError(Exception):
    """The operation requires a body in a media type that cannot be written; the message names it."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who is asking, as it goes on the wire."""

    headers: Headers = ()
    query: Headers = ()
    cookies: Headers = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """The values of one request before they are serialised."""

    parameters: Mapping[ParameterKey, Json] = field(default_factory=dict)
    body: Json = NO_BODY
    media_type: str = ""
    files: frozenset[str] = frozenset()
    """Properties of a multipart body that are sent as files."""
    raw_body: bytes | None = None
    """Sent instead of `body`, for bodies that are wrong on purpose."""

    def with_parameter(self, key: ParameterKey, value: Json) -> "Inputs":
        return replace(self, parameters={**self.parameters, key: value})

    def without_parameter(self, key: ParameterKey) -> "Inputs":
        return replace(self, parameters={other: value for other, value in self.parameters.items() if other != key})


class RequestBuilder:
    """Serialises inputs for the operations of one target. `base_url` carries the path that is common to all."""

    def __init__(
        self, description: ApiDescription, base_url: str, credentials: Credentials | None = None, headers: Headers = ()
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials or Credentials()
        self._headers = headers
        self._ours = _credential_parameters(description, self._credentials)
        self._own_accept = any(name.lower() == "accept" for name, _ in headers)
        self._accept: dict[str, str] = {}
        self._bases: dict[str, str] = {}
        self._origins = {_origin(server) for server in (base_url, *description.servers)}

    def parameters(self, operation: Operation) -> tuple[Parameter, ...]:
        """The parameters to generate: not those that carry credentials or that HTTP itself sets."""
        return tuple(
            parameter
            for parameter in operation.parameters
            if (parameter.location, parameter.name.lower()) not in self._ours
            and not (parameter.location is ParameterLocation.HEADER and _is_left_out(parameter))
        )

    def build(self, operation: Operation, inputs: Inputs, *, credentials: bool = True) -> Request:
        path = operation.path.partition("#")[0]  # a fragment tells operations of one URL apart and is never sent
        query: list[str] = []
        headers: list[tuple[str, str]] = [] if self._own_accept else [("Accept", self._accept_header(operation))]
        cookies: list[str] = []
        for parameter in operation.parameters:
            key = (parameter.location, parameter.name)
            if key not in inputs.parameters:
                continue
            value = inputs.parameters[key]
            match parameter.location:
                case ParameterLocation.PATH:
                    path = path.replace(f"{{{parameter.name}}}", path_text(parameter, value))
                case ParameterLocation.QUERY:
                    query += query_pairs(parameter, value)
                case ParameterLocation.HEADER:
                    headers.append((parameter.name, header_text(parameter, value)))
                case ParameterLocation.COOKIE:
                    cookies += cookie_pairs(parameter, value)
                case ParameterLocation.QUERYSTRING:
                    query.append(querystring_text(parameter, value))
        body = inputs.raw_body
        if body is not None:
            headers.append(("Content-Type", inputs.media_type))
        elif inputs.body is not NO_BODY:
            content_type, body = encode_body(inputs.media_type, inputs.body, inputs.files)
            headers.append(("Content-Type", content_type))
        headers += self._headers
        if credentials:
            headers += self._credentials.headers
            query += [f"{escape(name)}={escape(value)}" for name, value in self._credentials.query]
            cookies += [f"{name}={value}" for name, value in self._credentials.cookies]
        if cookies:
            headers.append(("Cookie", "; ".join(cookies)))
        url = self._base(operation) + path + (f"?{'&'.join(query)}" if query else "")
        return Request(operation.method, url, tuple(headers), body)

    def is_elsewhere(self, operation: Operation) -> bool:
        """Whether the operation is declared on a host that is not the target; such a host is never contacted."""
        return (
            operation.server is not None
            and "://" in operation.server
            and _origin(operation.server) not in self._origins
        )

    def _base(self, operation: Operation) -> str:
        if operation.server is None:
            return self._base_url
        known = self._bases.get(operation.server)
        if known is None:
            known = self._bases[operation.server] = _origin(self._base_url) + urlsplit(operation.server).path.rstrip(
                "/"
            )
        return known

    def _accept_header(self, operation: Operation) -> str:
        known = self._accept.get(operation.key)
        if known is None:
            types = [
                media.content_type
                for response in operation.responses
                if response.status.startswith("2")
                for media in response.content
            ]
            known = self._accept[operation.key] = ", ".join(dict.fromkeys([*types, "*/*;q=0.1"])) if types else "*/*"
        return known


def _credential_parameters(description: ApiDescription, credentials: Credentials) -> frozenset[tuple[str, str]]:
    keys = {
        (str(scheme.location), scheme.parameter.lower())
        for scheme in description.security_schemes.values()
        if scheme.kind is SecurityKind.API_KEY and scheme.location and scheme.parameter
    }
    keys |= {(str(ParameterLocation.HEADER), name.lower()) for name, _ in credentials.headers}
    keys |= {(str(ParameterLocation.QUERY), name.lower()) for name, _ in credentials.query}
    keys |= {(str(ParameterLocation.COOKIE), name.lower()) for name, _ in credentials.cookies}
    return frozenset(keys)


def _is_left_out(header: Parameter) -> bool:
    name = header.name.lower()
    return name in HEADERS_WE_SET or (name in CONDITIONAL_HEADERS and not header.required)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def escape(text: str) -> str:
    return quote(text, safe="")


def scalar_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return dumps(value).decode()


def dumps(value: Json) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson refuses integers beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _flat_pairs(value: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [(escape(name), escape(scalar_text(item))) for name, item in value.items()]


def path_text(parameter: Parameter, value: Json) -> str:
    """`simple`, `label` and `matrix` expansion. A dot segment is encoded, or clients would remove it."""
    if parameter.content_type:
        return escape(scalar_text(value))
    text = _path_text(parameter, value)
    return text.replace(".", "%2E") if text in (".", "..") else text


def _path_text(parameter: Parameter, value: Json) -> str:
    name, explode = escape(parameter.name), parameter.explode
    match parameter.style:
        case "label":
            if isinstance(value, list):
                return "." + ("." if explode else ",").join(escape(scalar_text(item)) for item in value)
            if isinstance(value, dict):
                pairs = _flat_pairs(value)
                return "." + (".".join(f"{key}={item}" for key, item in pairs) if explode else ",".join(chain(*pairs)))
            return "." + escape(scalar_text(value))
        case "matrix":
            if isinstance(value, list):
                items = [escape(scalar_text(item)) for item in value]
                return "".join(f";{name}={item}" for item in items) if explode else f";{name}={','.join(items)}"
            if isinstance(value, dict):
                pairs = _flat_pairs(value)
                if explode:
                    return "".join(f";{key}={item}" for key, item in pairs)
                return f";{name}={','.join(chain(*pairs))}"
            return f";{name}={escape(scalar_text(value))}"
        case _:
            return _simple(value, explode, escape)


def header_text(parameter: Parameter, value: Json) -> str:
    """`simple` expansion without percent-encoding, which headers do not know."""
    return scalar_text(value) if parameter.content_type else _simple(value, parameter.explode, str)


def _simple(value: Json, explode: bool, encode: Callable[[str], str]) -> str:
    if isinstance(value, list):
        return ",".join(encode(scalar_text(item)) for item in value)
    if isinstance(value, dict):
        pairs = [(encode(name), encode(scalar_text(item))) for name, item in value.items()]
        return ",".join(f"{name}={item}" if explode else f"{name},{item}" for name, item in pairs)
    return encode(scalar_text(value))


def query_pairs(parameter: Parameter, value: Json) -> list[str]:
    """`name=value` pairs for `form`, `spaceDelimited`, `pipeDelimited` and `deepObject`."""
    name = escape(parameter.name)
    if parameter.content_type:
        return [f"{name}={escape(scalar_text(value))}"]
    if isinstance(value, list):
        items = [escape(scalar_text(item)) for item in value]
        if parameter.explode and parameter.style not in ("spaceDelimited", "pipeDelimited"):
            return [f"{name}={item}" for item in items]
        separator = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(parameter.style, ",")
        if parameter.explode:
            return [f"{name}={item}" for item in items]
        return [f"{name}={separator.join(items)}"]
    if isinstance(value, dict):
        if parameter.style == "deepObject":
            return [pair for key, item in value.items() for pair in _deep(f"{name}%5B{escape(key)}%5D", item)]
        pairs = _flat_pairs(value)
        if parameter.explode:
            return [f"{key}={item}" for key, item in pairs]
        separator = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}.get(parameter.style, ",")
        return [f"{name}={separator.join(chain(*pairs))}"]
    return [f"{name}={escape(scalar_text(value))}"]


def _deep(name: str, value: Json) -> list[str]:
    """Nesting is undefined by the standard; brackets again are what servers read."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _deep(f"{name}%5B{escape(key)}%5D", item)]
    if isinstance(value, list):
        return [f"{name}={escape(scalar_text(item))}" for item in value]
    return [f"{name}={escape(scalar_text(value))}"]


def querystring_text(parameter: Parameter, value: Json) -> str:
    """The whole query as its media type says (OpenAPI 3.2.0, "Parameter Locations")."""
    if _kind(parameter.content_type or "") == "form":
        return "&".join(_form_pairs(value))
    return escape(scalar_text(value))


def cookie_pairs(parameter: Parameter, value: Json) -> list[str]:
    return query_pairs(replace(parameter, style="form"), value)


def body_media_type(operation: Operation) -> MediaType | None:
    """The media type to send: the first that can be written, JSON before others; None for no body.

    Raises `UnsupportedBodyError` when a body is required and none can be written.
    """
    if operation.body is None or not operation.body.content:
        return None
    writable = [media for media in operation.body.content if _kind(media.content_type) is not None]
    if writable:
        return min(writable, key=lambda media: _kind(media.content_type) != "json")
    if not operation.body.required:
        return None
    names = ", ".join(media.content_type for media in operation.body.content)
    raise UnsupportedBodyError(f"the request body is only described as {names}, which cannot be generated")


def is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def is_form(content_type: str) -> bool:
    return _kind(content_type) in ("form", "multipart")


_LINES = frozenset({"application/jsonl", "application/jsonlines", "application/x-jsonlines", "application/x-ndjson"})


def _kind(content_type: str) -> str | None:
    essence = content_type.partition(";")[0].strip().lower()
    if is_json(essence) or essence in ("*/*", "application/*"):
        return "json"
    if essence.endswith(("/xml", "+xml")):
        return None
    if essence == "application/x-www-form-urlencoded":
        return "form"
    if essence == "multipart/form-data":
        return "multipart"
    if essence in _LINES or essence.endswith("json-seq"):
        return "sequence"
    if essence.startswith("text/"):
        return "text"
    if essence in ("application/octet-stream", "application/pdf", "application/zip") or essence.startswith(
        ("image/", "audio/", "video/")
    ):
        return "bytes"
    return None


def encode_body(content_type: str, value: Json, files: frozenset[str] = frozenset()) -> tuple[str, bytes]:
    """The `Content-Type` to send and the body. Raises `UnsupportedBodyError`."""
    match _kind(content_type):
        case "json":
            return ("application/json" if "*" in content_type else content_type), dumps(value)
        case "form":
            return content_type, "&".join(_form_pairs(value)).encode()
        case "multipart":
            return _multipart(value, files)
        case "sequence":
            return content_type, _sequence(content_type, value)
        case "text" | "bytes":
            return content_type, scalar_text(value).encode()
    raise UnsupportedBodyError(f"{content_type} cannot be generated")


def _form_fields(value: Json) -> Iterable[tuple[str, Json]]:
    for name, item in value.items() if isinstance(value, Mapping) else ():
        for single in item if isinstance(item, list) else [item]:
            yield name, single


def _form_pairs(value: Json) -> list[str]:
    return [f"{escape(name)}={escape(scalar_text(item))}" for name, item in _form_fields(value)]


def _sequence(content_type: str, value: Json) -> bytes:
    """JSON texts one after the other, a line each, in `json-seq` behind a record separator (RFC 7464, 2.2)."""
    mark = b"" if content_type.partition(";")[0].strip().lower() in _LINES else b"\x1e"
    return b"".join(mark + dumps(item) + b"\n" for item in (value if isinstance(value, list) else [value]))


def _multipart(value: Json, files: frozenset[str]) -> tuple[str, bytes]:
    """RFC 7578. The boundary is a digest of the parts, so that equal inputs give equal bytes."""
    parts: list[bytes] = []
    for name, item in _form_fields(value):
        quoted = name.replace("%", "%25").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = f'Content-Disposition: form-data; name="{quoted}"'
        if name in files:
            head += f'; filename="{quoted}.bin"\r\nContent-Type: application/octet-stream'
        elif isinstance(item, dict):
            head += "\r\nContent-Type: application/json"
        parts.append(head.encode() + b"\r\n\r\n" + scalar_text(item).encode())
    boundary = "touchstone-" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]
    mark = f"--{boundary}\r\n".encode()
    body = b"".join(mark + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body
