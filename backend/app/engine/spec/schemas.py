"""Schemas of every dialect to JSON Schema 2020-12.

Sources: OpenAPI 3.0.4, 4.7.24 and its proposal "Clarify nullable"; OpenAPI 3.1.1, 4.8.24; Swagger 2.0, Schema Object;
JSON Schema 2020-12. Keywords that neither validate nor describe are dropped, but for `discriminator`: its `mapping` and
`defaultMapping` name definitions as `$ref` does.
"""

import math
import re
from collections import deque
from typing import Any
from urllib.parse import unquote

from backend.app.engine.spec.document import Document
from backend.app.engine.spec.model import Json, Schema, below
from backend.app.engine.spec.patterns import pattern_fault

TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
MISSPELT = {
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "str": "string",
    "text": "string",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "map": "object",
}
"""Types of programming languages that stand in real descriptions."""
MAX_DESCRIPTION = 1_000
MAX_SCHEMA_DEPTH = 50
"""Schemas inside one another without a reference between them. JSON writers stop at some 250 levels, and a schema can
take four."""

_ONE_SCHEMA = frozenset(
    {
        "items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_COUNTS = frozenset(
    {
        "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains",
        "maxContains",
    }
)  # fmt: skip
_LIMITS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_FLAGS = frozenset({"readOnly", "writeOnly", "deprecated", "uniqueItems"})
_TEXTS = frozenset({"format", "contentEncoding", "contentMediaType"})
_BESIDE_REF = frozenset({"description", "readOnly", "writeOnly", "deprecated", "default", "example", "examples"})
_PAIRS = (
    ("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties")
)  # fmt: skip


class SchemaTranslator:
    """`definitions` grows with every reference that is met; `finish()` completes it."""

    def __init__(self, document: Document, home: str, *, modern: bool) -> None:
        """`home` is the pointer of the shared schemas; `modern` means OpenAPI 3.1, whose schemas are 2020-12."""
        self.definitions: dict[str, Schema] = {}
        self._document = document
        self._home = home
        self._modern = modern
        self._names: dict[str, str] = {}
        self._taken: dict[str, int] = {}
        self._patterns: dict[str, str | None] = {}
        self._depth = 0
        self._pending: deque[tuple[str, Json, str]] = deque()

    def define(self, node: Json, pointer: str) -> str:
        """The name under which the schema at `pointer` is kept."""
        name = self._names.get(pointer)
        if name is None:
            # Names are safe in a URI fragment and in a JSON pointer, so that nobody has to unescape them.
            base = re.sub(r"[^A-Za-z0-9._-]+", "_", self._words(pointer)).strip("_")[:100] or "schema"
            name = base
            while name in self._taken:
                self._taken[base] += 1
                name = f"{base}_{self._taken[base]}"
            self._names[pointer] = name
            self._taken[name] = 1
            self._pending.append((name, node, pointer))
        return name

    def _words(self, place: str) -> str:
        """`Pet` for `#/components/schemas/Pet` of any document and for `models/Pet.yaml`; `Pet_properties_id` for what
        stands in it."""
        document, _, pointer = ("", "", place) if place.startswith("/") else place.partition("#")
        words = pointer.removeprefix(f"{self._home}/")
        if document and words == pointer:
            file = document.rpartition("/")[2].partition("?")[0]
            stem = file.rpartition(".")[0] or file
            only = re.fullmatch(r"/(?:(?:definitions|\$defs|schemas)/)?([^/]+)", pointer)
            words = only[1] if only else f"{unquote(stem)}{pointer}"
        return words.replace("~1", "/").replace("~0", "~")

    def finish(self) -> None:
        while self._pending:
            name, node, pointer = self._pending.popleft()
            self.definitions[name] = self.translate(node, pointer)

    def translate(self, node: Json, pointer: str) -> Schema:
        self._document.spend(1)
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._document.fault(pointer, "a schema is expected here")
            return True
        if self._depth >= MAX_SCHEMA_DEPTH:
            self._document.fault(pointer, f"a schema below {MAX_SCHEMA_DEPTH} others is left out")
            return True
        self._depth += 1
        try:
            return self._reference(node, pointer) if "$ref" in node else self._object(node, pointer)
        finally:
            self._depth -= 1

    def _object(self, node: dict[str, Json], pointer: str) -> Schema:
        out: dict[str, Any] = {}
        for key, value in node.items():
            self._keyword(out, key, value, below(pointer, key))
        self._exclusive_limits(out, node)
        for low, high in _PAIRS:
            if low in out and high in out and out[low] > out[high]:
                self._document.fault(pointer, f"no value fits: {low} is above {high}")
        return out if self._modern else self._nullable(out, node)

    def _reference(self, node: dict[str, Json], pointer: str) -> Schema:
        ref = node["$ref"]
        if not isinstance(ref, str):
            self._document.fault(below(pointer, "$ref"), "a reference is a text")
            return True
        found = self._document.resolve({"$ref": ref}, pointer, bare=True)
        if found is None:
            return True
        out: dict[str, Any] = {"$ref": f"#/$defs/{self.define(*found)}"}
        for key, value in node.items():
            if key != "$ref" and (self._modern or key in _BESIDE_REF):
                self._keyword(out, key, value, below(pointer, key))
        return out if self._modern else self._nullable(out, node)

    def _keyword(self, out: dict[str, Any], key: str, value: Json, at: str) -> None:
        document = self._document
        if key in _ONE_SCHEMA:
            if key == "items" and isinstance(value, list):
                if value:
                    out["prefixItems"] = [self.translate(item, below(at, i)) for i, item in enumerate(value)]
            else:
                out[key] = self.translate(value, at)
        elif key in _SCHEMA_LISTS:
            if isinstance(value, list) and value:
                out[key] = [self.translate(item, below(at, i)) for i, item in enumerate(value)]
            else:
                document.fault(at, "a list of at least one schema is expected here")
        elif key in _SCHEMA_MAPS:
            if not isinstance(value, dict):
                document.fault(at, "an object of schemas is expected here")
                return
            if isinstance(value.get("$ref"), str):
                # No standard has references here, and authors of split documents expect them.
                found = document.resolved(value, at)
                if found is None:
                    return
                value, at = found
            members = {name: self.translate(item, below(at, name)) for name, item in value.items()}
            if key == "patternProperties":
                members = {name: item for name, item in members.items() if self._pattern(name, below(at, name))}
            out[key] = members
        elif key in _COUNTS:
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63 and value % 1 == 0:
                out[key] = int(value)
            else:
                document.fault(at, "a whole number of at least 0 is expected here")
        elif key in _LIMITS:
            self._limit(out, key, value, at)
        elif key in _FLAGS:
            if isinstance(value, bool):
                if value:
                    out[key] = True
            else:
                document.fault(at, "true or false is expected here")
        elif key in _TEXTS:
            if isinstance(value, str):
                out[key] = value
            else:
                document.fault(at, "a text is expected here")
        elif key in ("title", "description"):
            if isinstance(value, str) and value:
                out[key] = value if len(value) <= MAX_DESCRIPTION else value[: MAX_DESCRIPTION - 1] + "…"
        elif key == "type":
            self._type(out, value, at)
        elif key == "pattern":
            if not isinstance(value, str):
                document.fault(at, "a text is expected here")
            elif self._pattern(value, at):
                out[key] = value
        elif key == "required":
            if isinstance(value, list) and all(isinstance(name, str) for name in value):
                out[key] = list(dict.fromkeys(value))
            else:
                document.fault(at, "a list of property names is expected here")
        elif key == "enum":
            if not isinstance(value, list) or not value:
                document.fault(at, "a list of at least one value is expected here")
            elif len(value) > document.limits.enumerated:
                document.fault(at, f"an enumeration of {len(value)} values is left out")
            elif document.finite(value, at):
                out[key] = value
        elif key in ("const", "default"):
            if document.finite(value, at):
                out[key] = value
        elif key == "example":
            if document.finite(value, at):
                out["examples"] = [value, *out.get("examples", [])]
        elif key == "examples":
            values = value if isinstance(value, list) else [value]
            if document.finite(values, at):
                out["examples"] = [*out.get("examples", []), *values]
        elif key == "dependentRequired":
            if isinstance(value, dict) and all(
                isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
            ):
                out[key] = value
            else:
                document.fault(at, "an object of lists of property names is expected here")
        elif key == "discriminator" and isinstance(value, dict):
            self._discriminator(out, value, at)
        elif key == "$dynamicRef" and self._modern and isinstance(value, str):
            document.fault(at, "a $dynamicRef is read as a $ref: no other schema extends what it names")
            found = document.resolve({"$ref": value}, at, bare=True)
            if found is not None:
                out["allOf"] = [*out.get("allOf", []), {"$ref": f"#/$defs/{self.define(*found)}"}]

    def _discriminator(self, out: dict[str, Any], node: dict[str, Json], pointer: str) -> None:
        document = self._document
        if not isinstance(name := node.get("propertyName"), str):
            document.fault(pointer, "a discriminator without the name of a property")
            return
        mapping = {
            value: target
            for value, schema, at in document.entries(node, "mapping", pointer)
            if (target := self._mapped(schema, at))
        }
        out["discriminator"] = {"propertyName": name} | ({"mapping": mapping} if mapping else {})
        if "defaultMapping" in node and (target := self._mapped(node["defaultMapping"], pointer)):
            out["discriminator"]["defaultMapping"] = target

    def _mapped(self, schema: Json, pointer: str) -> str | None:
        """A name of a shared schema, or else a reference, as a reference to its definition."""
        if not isinstance(schema, str):
            self._document.fault(pointer, "a text is expected here")
            return None
        by_name = self._document.references.find("#" + below(self._home, schema), "")
        if isinstance(by_name, str):
            found = self._document.resolve({"$ref": schema}, pointer, bare=True)
        else:
            found = self._document.resolve(*by_name, bare=True)
        return None if found is None else f"#/$defs/{self.define(*found)}"

    def _limit(self, out: dict[str, Any], key: str, value: Json, at: str) -> None:
        if isinstance(value, bool):
            if not key.startswith("exclusive"):
                self._document.fault(at, "a number is expected here")
            elif self._modern:
                self._document.fault(at, f"{key} is a number since OpenAPI 3.1; read as 3.0 means it")
        elif not isinstance(value, int | float):
            self._document.fault(at, "a number is expected here")
        elif not math.isfinite(value):
            self._document.fault(at, "a number beyond the range of a double is left out")
        elif key == "multipleOf" and value <= 0:
            self._document.fault(at, "multipleOf must be above 0")
        elif key == "multipleOf" and value < 1e-100:
            self._document.fault(at, "a multipleOf this small says nothing about a double and is left out")
        else:
            out[key] = value

    def _type(self, out: dict[str, Any], value: Json, at: str) -> None:
        names = value if isinstance(value, list) else [value]
        if any(isinstance(name, str) and name in MISSPELT for name in names):
            self._document.fault(
                at, f"{str(value)[:80]!r} is no type of JSON Schema; taken for what it most likely means"
            )
            names = [MISSPELT.get(name, name) if isinstance(name, str) else name for name in names]
        known = [name for name in names if isinstance(name, str) and name in TYPES]
        if value == "file" and not self._modern:
            out |= {"type": "string", "format": "binary"}
        elif not names or len(known) != len(names):
            self._document.fault(at, f"{str(value)[:80]!r} is no type of JSON Schema")
        else:
            kinds = list(dict.fromkeys(known))
            out["type"] = kinds[0] if len(kinds) == 1 else kinds

    def _pattern(self, pattern: str, at: str) -> bool:
        if pattern not in self._patterns:
            most = self._document.limits.patterns
            too_many = len(self._patterns) >= most
            self._patterns[pattern] = (
                f"one of more than {most} patterns, which is not checked" if too_many else pattern_fault(pattern)
            )
        fault = self._patterns[pattern]
        if fault:
            self._document.fault(at, fault)
        return fault is None

    @staticmethod
    def _exclusive_limits(out: dict[str, Any], node: dict[str, Json]) -> None:
        """Before 2020-12 the exclusive limits are flags that turn the plain ones."""
        for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if node.get(exclusive) is True and plain in out:
                out[exclusive] = out.pop(plain)

    @staticmethod
    def _nullable(out: dict[str, Any], node: dict[str, Json]) -> Schema:
        """`nullable` (OpenAPI 3.0) and `x-nullable` (Swagger 2.0 in the field) admit `null` in addition to what the
        rest says, also beside `$ref`, `allOf` and `enum`, which is how generators of specs mean it."""
        if not (node.get("nullable") is True or node.get("x-nullable") is True):
            return out
        combined = ("$ref", "allOf", "anyOf", "oneOf", "not", "const")
        if not any(key in out for key in combined):
            if isinstance(out.get("type"), str):
                out["type"] = list(dict.fromkeys([out["type"], "null"]))
            elif "type" in out and "null" not in out["type"]:
                out["type"] = [*out["type"], "null"]
            if "enum" in out and None not in out["enum"]:
                out["enum"] = [*out["enum"], None]
            return out
        notes: dict[str, Any] = {
            key: out.pop(key) for key in ("readOnly", "writeOnly", "description", "examples") if key in out
        }
        return {"anyOf": [out, {"type": "null"}], **notes}
