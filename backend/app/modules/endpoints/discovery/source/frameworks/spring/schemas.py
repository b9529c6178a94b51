"""JSON Schemas of Java and Kotlin types, as Jackson writes them by default."""

from typing import Any

from backend.app.engine.spec.model import Schema
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, Scope, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import TypeName

DEEPEST = 3
"""Objects inside each other; what is further down may be anything."""
MOST_PROPERTIES = 200

_SIMPLE: dict[str, dict[str, Any]] = {
    name: schema
    for schema, names in (
        ({"type": "string"}, "String CharSequence char Character Locale URI URL Currency TimeZone ZoneId Char"),
        ({"type": "integer"}, "int Integer long Long short Short byte Byte BigInteger Int"),
        ({"type": "number"}, "double Double float Float BigDecimal Number"),
        ({"type": "boolean"}, "boolean Boolean"),
        ({"type": "string", "format": "uuid"}, "UUID Uuid"),
        ({"type": "string", "format": "date"}, "LocalDate"),
        ({"type": "string", "format": "time"}, "LocalTime"),
        ({"type": "string", "format": "duration"}, "Duration"),
        (
            {"type": "string", "format": "date-time"},
            "Date Instant LocalDateTime OffsetDateTime ZonedDateTime Timestamp",
        ),
        ({"type": "string", "format": "binary"}, "MultipartFile FilePart Part Resource InputStream"),
    )
    for name in names.split()
}
_LISTS = {
    *("[]", "List", "Set", "Collection", "Iterable", "ArrayList", "HashSet", "LinkedHashSet", "LinkedList"),
    *("MutableList", "MutableSet", "SortedSet", "Flux", "Flow", "Stream"),
}
_WRAPPERS = frozenset({"?", "Optional", "Mono", "HttpEntity", "RequestEntity", "JsonNullable", "Deferred"})
_MAPS = frozenset(["Map", "HashMap", "LinkedHashMap", "TreeMap", "MutableMap", "MultiValueMap", "ConcurrentHashMap"])
_REQUIRED = frozenset({"NotNull", "NotBlank", "NotEmpty", "NonNull"})

Bound = dict[str, tuple[TypeName, Scope]]
"""What type parameters stand for."""


class Schemas:
    def __init__(self, code: Code) -> None:
        self.code = code

    def of(self, kind: TypeName, scope: Scope, bound: Bound, depth: int = 0) -> Schema:
        name, arguments = kind
        simple = name.rpartition(".")[2]
        if name in bound and depth < 20:
            return self.of(*bound[name], {}, depth + 1)
        if name in _WRAPPERS:
            return self.of(arguments[0], scope, bound, depth) if arguments else True
        if name in _LISTS:
            items = self.of(arguments[0], scope, bound, depth + 1) if arguments and depth < 20 else True
            return {"type": "array", "items": items}
        if name in _MAPS:
            return {"type": "object"}
        if simple in _SIMPLE:
            return _SIMPLE[simple]
        if not name or depth > DEEPEST:
            return True
        declared = self.code.resolve(name, scope)
        return self._declared(declared, arguments, scope, depth) if isinstance(declared, Type) else True

    def is_simple(self, kind: TypeName, scope: Scope) -> bool:
        """What Spring takes for one value of a query."""
        name, arguments = kind
        if name in _WRAPPERS or name in _LISTS:
            return bool(arguments) and self.is_simple(arguments[0], scope)
        if name.rpartition(".")[2] in _SIMPLE:
            return True
        declared = self.code.resolve(name, scope) if name else ""
        return isinstance(declared, Type) and declared.facts["kind"] == "enum"

    def _declared(self, declared: Type, arguments: list[TypeName], scope: Scope, depth: int) -> Schema:
        kind = declared.facts["kind"]
        if kind == "enum":
            values = [each[0] for each in declared.facts["fields"] if each[3] == "constant"]
            return {"type": "string", "enum": values} if values else {"type": "string"}
        if kind == "annotation":
            return True
        properties: dict[str, Schema] = {}
        required: list[str] = []
        bound: Bound = {
            parameter: (argument, scope)
            for parameter, argument in zip(declared.facts["parameters"], arguments, strict=False)
        }
        for owner in self.code.ancestry(declared)[::-1]:
            if owner.facts["kind"] == "interface":
                continue
            for field in owner.facts["fields"]:
                self._property(field, owner, bound if owner is declared else {}, depth, properties, required)
        if not properties:
            return {"type": "object"} if kind == "class" else True
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        return schema | {"required": required} if required else schema

    def _property(
        self,
        field: list[Any],
        owner: Type,
        bound: Bound,
        depth: int,
        properties: dict[str, Schema],
        required: list[str],
    ) -> None:
        name, kind, marks, storage, initial = field
        if storage not in {"field", "component"} or len(properties) >= MOST_PROPERTIES:
            return
        written = {mark[0].rpartition(".")[2]: mark[1] for mark in marks}
        if "JsonIgnore" in written or name.startswith("$"):
            return
        renamed = written.get("JsonProperty", {}).get("value")
        if renamed and renamed[0] == "s" and renamed[1]:
            name = renamed[1]
        properties[name] = self.of(kind, owner, bound, depth + 1)
        is_kotlin = owner.file.path.endswith(".kt")
        if written.keys() & _REQUIRED or (is_kotlin and storage == "component" and kind[0] != "?" and initial is None):
            required.append(name)
