"""A small shop API that answers as fast as one Python process can, and really refuses wrong input.

    python -m benchmarks.support.shop_server

prints its port, then serves until its standard input closes. `description()` is what it does, for the scanner.
"""

import asyncio
import sys
from typing import Any, cast

import orjson
import uvloop

from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
)

COLLECTIONS = tuple(f"shelf{number}" for number in range(40))
ITEM = {
    "type": "object",
    "required": ["name", "price"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "minLength": 1, "maxLength": 40},
        "price": {"type": "number", "minimum": 0, "maximum": 10000},
        "stock": {"type": "integer", "minimum": 0, "maximum": 1000},
        "colour": {"type": "string", "enum": ["red", "green", "blue"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "active": {"type": "boolean"},
    },
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def description() -> ApiDescription:
    item = (MediaType("application/json", {"$ref": "#/$defs/Item"}),)
    items = (MediaType("application/json", {"type": "array", "items": {"$ref": "#/$defs/Item"}}),)
    errors = tuple(
        ResponseSpec(status, (MediaType("application/json", {"$ref": "#/$defs/Error"}),)) for status in ("400", "404")
    )
    key = Parameter("itemId", ParameterLocation.PATH, True, {"type": "integer"}, "simple")
    limit_schema = {"type": "integer", "minimum": 1, "maximum": 100}
    limit = Parameter("limit", ParameterLocation.QUERY, False, limit_schema, "form", True)
    body = RequestBody(True, item)
    operations: list[Operation] = []
    for name in COLLECTIONS:
        one = f"/{name}/{{itemId}}"
        operations += (
            Operation("GET", f"/{name}", parameters=(limit,), responses=(ResponseSpec("200", items), *errors)),
            Operation("POST", f"/{name}", body=body, responses=(ResponseSpec("201", item), *errors)),
            Operation("GET", one, parameters=(key,), responses=(ResponseSpec("200", item), *errors)),
            Operation("PUT", one, parameters=(key,), body=body, responses=(ResponseSpec("200", item), *errors)),
            Operation("DELETE", one, parameters=(key,), responses=(ResponseSpec("204"), *errors)),
        )
    definitions: dict[str, Any] = {"Item": ITEM, "Error": ERROR}
    return ApiDescription("Shop", "1", "openapi-3.1", (), tuple(operations), definitions)


def is_item(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    name: Any = value.get("name")
    price: Any = value.get("price")
    stock: Any = value.get("stock", 0)
    tags: Any = value.get("tags", [])
    return (
        isinstance(name, str)
        and 1 <= len(name) <= 40
        and type(price) in (int, float)
        and 0 <= price <= 10_000
        and type(stock) is int
        and 0 <= stock <= 1000
        and value.get("colour", "red") in ("red", "green", "blue")
        and isinstance(value.get("active", True), bool)
        and isinstance(tags, list)
        and len(tags) <= 5
        and all(isinstance(tag, str) for tag in tags)
    )


class Shop:
    def __init__(self) -> None:
        self.items: dict[str, dict[int, Any]] = {name: {} for name in COLLECTIONS}
        self.last_id = 0

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        _, name, *rest = path.split("/")
        shelf = self.items.get(name)
        if shelf is None:
            return 404, {"error": "no such shelf"}
        item: Any = None
        if method in ("POST", "PUT"):
            try:
                item = orjson.loads(body)
            except orjson.JSONDecodeError:
                return 400, {"error": "not JSON"}
            if not is_item(item):
                return 400, {"error": "not an item"}
        if not rest:
            if method == "POST":
                self.last_id += 1
                shelf[self.last_id] = {**item, "id": self.last_id}
                return 201, shelf[self.last_id]
            limit = query.removeprefix("limit=") or "20"
            if not limit.isdecimal() or not 1 <= int(limit) <= 100:
                return 400, {"error": "limit"}
            return 200, list(shelf.values())[: int(limit)]
        if not rest[0].isdecimal():
            return 400, {"error": "not a number"}
        number = int(rest[0])
        if number not in shelf:
            return 404, {"error": "no such item"}
        if method == "DELETE":
            del shelf[number]
            return 204, None
        if method == "PUT":
            shelf[number] = {**item, "id": number}
        return 200, shelf[number]


class Connection(asyncio.Protocol):
    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.pending = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has the methods of `asyncio.Transport` and is none.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].decode("latin-1")
            at = head.lower().find("\r\ncontent-length:")
            length = int(head[at + 17 :].partition("\r\n")[0]) if at >= 0 else 0
            if len(self.pending) < end + 4 + length:
                return
            body = self.pending[end + 4 : end + 4 + length]
            self.pending = self.pending[end + 4 + length :]
            method, target, _ = head.partition("\r\n")[0].split(" ")
            status, document = self.shop.answer(method, target, body)
            if document is None:
                self.transport.write(b"HTTP/1.1 %d OK\r\n\r\n" % status)
                continue
            text = orjson.dumps(document)
            kind = b"Content-Type: application/json\r\n"
            self.transport.write(b"HTTP/1.1 %d OK\r\n%sContent-Length: %d\r\n\r\n%s" % (status, kind, len(text), text))


async def serve() -> None:
    shop = Shop()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(shop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
