"""Hostile documents, built from what `tests/data/spec-bombs.json` says of them."""

import json
from collections.abc import Callable
from typing import Any


def spec(**members: Any) -> bytes:
    return json.dumps({"openapi": "3.0.3", "info": {"title": "bomb", "version": "1"}, "paths": {}} | members).encode()


def with_schema(schema: Any) -> bytes:
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}
    operation = {"responses": {"200": {"description": "ok", "content": media}}}
    return spec(paths={"/a": {"get": operation}}, components={"schemas": {"A": schema}})


def _laughs() -> bytes:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    return "\n".join(lines).encode()


def _chain() -> bytes:
    schemas: dict[str, Any] = {f"S{i}": {"$ref": f"#/components/schemas/S{i + 1}"} for i in range(10_000)}
    parameters: dict[str, Any] = {f"P{i}": {"$ref": f"#/components/parameters/P{i + 1}"} for i in range(10_000)}
    parameters["P10000"] = {"name": "limit", "in": "query", "schema": {"$ref": "#/components/schemas/S0"}}
    operation = {"parameters": [{"$ref": "#/components/parameters/P0"}], "responses": {}}
    components = {"schemas": schemas | {"S10000": {"type": "integer"}}, "parameters": parameters}
    return spec(paths={"/a": {"get": operation}}, components=components)


def _operations() -> bytes:
    paths = {
        f"/things{i}/{{id}}": {
            "get": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "ok"}},
            }
        }
        for i in range(10_000)
    }
    return spec(paths=paths)


def _get(**members: Any) -> bytes:
    return spec(paths={"/a": {"get": {"responses": {}} | members}})


DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "spec-bombs-001": (_laughs(), "spec.too_many_nodes"),
    "spec-bombs-002": (b"&a [*a]", "spec.alias_cycle"),
    "spec-bombs-003": (b"[" * 100_000, "spec.too_deep"),
    "spec-bombs-006": (b"openapi: !!python/object/apply:os.system ['id']", "spec.bad_tag"),
    "spec-bombs-007": (b"openapi: !!binary " + b"A" * 50_000_000, "spec.too_large"),
    "spec-bombs-009": (b"openapi: " + b"1" * 1_000_000, "spec.bad_number"),
    "spec-bombs-015": (b"openapi: 3.0.0\npaths: {}\nopenapi: 3.1.0\n", "spec.duplicate_key"),
    "spec-bombs-016": (b"- a\n" * 5_000_000, "spec.too_many_nodes"),
    "spec-bombs-020": (b'{"openapi": NaN}', "spec.bad_number"),
    "spec-bombs-021": (b'{"openapi": "\\ud800"}', "spec.bad_text"),
    "spec-bombs-024": (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "spec.not_json_or_yaml",
    ),
    "spec-bombs-025": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "spec.not_json_or_yaml"),
}
"""Refused as a whole, with the code of the limit."""

READ: dict[str, tuple[bytes, str]] = {
    "spec-bombs-013": (
        b"openapi: 3.0.3\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: ok}\n",
        "",
    ),
    "spec-bombs-027": (with_schema({"$ref": "../../../etc/passwd"}), "external reference"),
    "spec-bombs-029": (with_schema({"$ref": "#/components/schemas/A"}), "circular reference"),
    "spec-bombs-031": (_chain(), ""),
    "spec-bombs-034": (
        with_schema({"properties": {f"p{i}": {"oneOf": [{"const": n} for n in range(10)]} for i in range(50)}}),
        "",
    ),
    "spec-bombs-035": (with_schema({"enum": list(range(1_000_000))}), "1000000 values is left out"),
    "spec-bombs-039": (
        with_schema({"type": "number", "maximum": 1e400}).replace(b"Infinity", b"1e400"),
        "beyond the range of a double",
    ),
    "spec-bombs-040": (with_schema({"type": "number", "multipleOf": 1e-308}), "left out"),
    "spec-bombs-041": (with_schema({"type": "number", "multipleOf": 0}), "must be above 0"),
    "spec-bombs-042": (with_schema({"type": "string", "pattern": "(a+)+$"}), ""),
    "spec-bombs-043": (with_schema({"type": "string", "pattern": "(?<=x)y"}), "is not checked"),
    "spec-bombs-045": (with_schema({"type": "string", "pattern": "^\\p{L}$"}), ""),
    "spec-bombs-049": (
        spec(servers=[{"url": "http://{host}/", "variables": {"host": {"default": "169.254.169.254"}}}]),
        "",
    ),
    "spec-bombs-051": (_operations(), ""),
    "spec-bombs-052": (spec(paths={"/{a}/{a}": {"get": {}}, "/{a}": {"get": {}}, "/{b}": {"get": {}}}), "template"),
    "spec-bombs-054": (_get(operationId="../../x; rm -rf"), ""),
    "spec-bombs-055": (_get(description="<script>alert(1)</script> *x* " * 35_000), ""),
    "spec-bombs-059": (_get(externalDocs={"url": "javascript:alert(1)"}), "neither http nor https"),
}
"""Read, with a fault that says this, or with none."""

MANY_VALUES = 100_000
LARGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "YAML keys": (lambda: b"".join(b"key%06d: 1\n" % i for i in range(600_000)), "spec.too_many_nodes"),
    "YAML flow mappings": (lambda: b"a: [" + b"{a: 1}, " * 1_000_000 + b"]", "spec.too_many_nodes"),
    "YAML TAG directives": (
        lambda: b"".join(b"%%TAG !a%d! tag:x\n" % i for i in range(100_000)) + b"--- a",
        "spec.syntax",
    ),
    "JSON names": (
        lambda: b"{" + b",".join(b'"%d":1' % i for i in range(900_000)) + b"}",
        "spec.too_many_nodes",
    ),
    "JSON escapes": (
        lambda: b'{"a":[' + b",".join([rb'"\ud83d\ude00"'] * 490_000) + b"]}",
        "spec.too_many_nodes",
    ),
}
"""Slow to read although nothing in it is odd, and refused as a whole where no more than `MANY_VALUES` are read."""
