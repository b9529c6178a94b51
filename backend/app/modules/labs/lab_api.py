"""A small ASGI application built from OpenAPI 3.1 operation objects: what an operation documents is what it enforces,
unless a recipe says otherwise. It checks credentials (401) before input (415, 422) before anything else, and turns an
exception of a handler into a plain 500, as servers do."""

import hmac
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import jsonschema_rs
import orjson

Json: TypeAlias = Any
Document: TypeAlias = Mapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

API_KEY_HEADER = "X-API-Key"
MAX_BODY_BYTES = 65_536

PROBLEM_SCHEMA: Document = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}

_TEXT_FORMS: dict[str, tuple[re.Pattern[str], Callable[[str], Json]]] = {
    "integer": (re.compile(r"-?[0-9]{1,18}"), int),
    "number": (re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?"), float),
    "boolean": (re.compile(r"true|false"), "true".__eq__),
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed every check; parameters by name, with the types of their schemas and the defaults."""

    path: Mapping[str, Json]
    query: Mapping[str, Json]
    body: Json = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is sent as it is when it is text, else as JSON; `None` sends none."""

    status: int
    body: Json = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Answered as a problem (RFC 9457) of this status."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


Handler: TypeAlias = Callable[[Call], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    location: str
    required: bool
    schema: Document
    validator: jsonschema_rs.Draft202012Validator

    def read(self, text: str | None) -> Json:
        if text is None:
            if self.required:
                raise Refusal(422, f"The {self.location} parameter {self.name!r} is required.")
            return self.schema.get("default")
        form, convert = _TEXT_FORMS.get(self.schema["type"], (re.compile(""), str))
        value = convert(text) if form.fullmatch(text) else text
        _require_valid(self.validator, value, f"The {self.location} parameter {self.name!r}")
        return value


@dataclass(frozen=True, slots=True)
class _Route:
    segments: tuple[str, ...]
    handler: Handler
    secured: bool
    parameters: tuple[_Parameter, ...]
    body: jsonschema_rs.Draft202012Validator | None

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """The texts of the path parameters, or None when the path is another one."""
        if len(segments) != len(self.segments):
            return None
        pairs = list(zip(self.segments, segments, strict=True))
        if not all(theirs if mine.startswith("{") else mine == theirs for mine, theirs in pairs):
            return None
        return {mine[1:-1]: theirs for mine, theirs in pairs if mine.startswith("{")}

    def read(self, path: Mapping[str, str], query: Mapping[str, str], content_type: str, body: bytes | None) -> Call:
        texts = {"path": path, "query": query}
        values: dict[str, dict[str, Json]] = {"path": {}, "query": {}}
        for parameter in self.parameters:
            values[parameter.location][parameter.name] = parameter.read(texts[parameter.location].get(parameter.name))
        return Call(values["path"], values["query"], self._read_body(content_type, body) if self.body else None)

    def _read_body(self, content_type: str, body: bytes | None) -> Json:
        if body is None:
            raise Refusal(422, f"The body is larger than {MAX_BODY_BYTES} bytes.")
        if not body:
            raise Refusal(422, "A JSON body is required.")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "The body must be application/json.")
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(422, f"The body is not JSON: {error}") from None
        if self.body:
            _require_valid(self.body, value, "The body")
        return value


class LabApi:
    """An API whose operations are added with `operation`; `info` and `components` are those of OpenAPI. Operations
    with `security` want the key in the header `X-API-Key`."""

    def __init__(self, info: Document, schemas: Document, api_key: str) -> None:
        self.credentials: Mapping[str, str] = {API_KEY_HEADER: api_key}
        self._api_key = api_key.encode()
        self._info = info
        self._components = {
            "schemas": {**schemas, "Problem": PROBLEM_SCHEMA},
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}},
        }
        self._paths: dict[str, dict[str, Document]] = {}
        self._routes: dict[str, dict[str, _Route]] = {}

    def operation(
        self, method: str, path: str, documented: Document, enforced: Document | None = None
    ) -> Callable[[Handler], Handler]:
        """Decorator that adds an operation, described by the operation object `documented`, whose input and
        credentials are checked against `enforced` where the two differ."""

        def add(handler: Handler) -> Handler:
            self._paths.setdefault(path, {})[method.lower()] = documented
            self._routes.setdefault(path, {})[method] = self._route(path, handler, enforced or documented)
            return handler

        return add

    def document(self) -> Document:
        return {
            "openapi": "3.1.0",
            "info": self._info,
            "servers": [{"url": "/"}],
            "paths": self._paths,
            "components": self._components,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            reply = await self._answer(scope, await _read(receive))
            await _send(reply, send, with_body=scope["method"] != "HEAD")

    def _route(self, path: str, handler: Handler, rules: Document) -> _Route:
        content = rules.get("requestBody", {}).get("content", {})
        return _Route(
            segments=_segments(path),
            handler=handler,
            secured=bool(rules.get("security")),
            parameters=tuple(
                _Parameter(
                    name=parameter["name"],
                    location=parameter["in"],
                    required=parameter.get("required", False),
                    schema=parameter["schema"],
                    validator=self._validator(parameter["schema"]),
                )
                for parameter in rules.get("parameters", ())
            ),
            body=self._validator(content["application/json"]["schema"]) if content else None,
        )

    def _validator(self, schema: Document) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator({**schema, "components": self._components})

    async def _answer(self, scope: Scope, body: bytes | None) -> Reply:
        try:
            route, path = self._find(scope["method"], scope["path"])
            headers = {name.lower(): value for name, value in scope["headers"]}
            if route.secured and not hmac.compare_digest(headers.get(b"x-api-key", b""), self._api_key):
                raise Refusal(
                    401, f"The header {API_KEY_HEADER} must carry a valid key.", {"WWW-Authenticate": "ApiKey"}
                )
            query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
            content_type = headers.get(b"content-type", b"").decode("latin-1")
            return await route.handler(route.read(path, query, content_type, body))
        except Refusal as refusal:
            return _problem(refusal.status, refusal.detail, refusal.headers)
        except Exception:
            return _problem(500, "The server failed on this request.")

    def _find(self, method: str, path: str) -> tuple[_Route, Mapping[str, str]]:
        if path == "/openapi.json":
            routes: dict[str, _Route] = {"GET": _Route((), self._describe, False, (), None)}
            texts: dict[str, str] = {}
        else:
            routes, texts = next(self._matches(_segments(path)), ({}, {}))
        if not routes:
            raise Refusal(404, "There is nothing at this path.")
        route = routes.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join(sorted({*routes, *(["HEAD"] if "GET" in routes else [])}))
            raise Refusal(405, f"This path allows {allowed}.", {"Allow": allowed})
        return route, texts

    def _matches(self, segments: tuple[str, ...]) -> Iterator[tuple[dict[str, _Route], dict[str, str]]]:
        for routes in self._routes.values():
            texts = next(iter(routes.values())).match(segments)
            if texts is not None:
                yield routes, texts

    async def _describe(self, call: Call) -> Reply:
        return Reply(200, self.document())


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")[1:])


def _require_valid(validator: jsonschema_rs.Draft202012Validator, value: Json, subject: str) -> None:
    error = next(iter(validator.iter_errors(value)), None)
    if error is not None:
        where = f" at /{'/'.join(map(str, error.instance_path))}" if error.instance_path else ""
        raise Refusal(422, f"{subject} is not valid{where}: {error.message}")


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Reply(status, body, "application/problem+json", headers or {})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return body


async def _send(reply: Reply, send: Send, with_body: bool) -> None:
    if reply.body is None:
        body = b""
    elif isinstance(reply.body, str):
        body = reply.body.encode()
    else:
        body = orjson.dumps(reply.body)
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.body is not None:
        headers += [(b"content-type", reply.content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})
