"""The parameters and the body of a handler method."""

import re
from dataclasses import dataclass, field

from backend.app.engine.spec.model import MediaType, Parameter, ParameterLocation, RequestBody, Schema
from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotation, Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.schemas import Bound, Schemas
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import TypeName

_LOCATIONS = {
    "PathVariable": ParameterLocation.PATH,
    "RequestParam": ParameterLocation.QUERY,
    "RequestHeader": ParameterLocation.HEADER,
    "CookieValue": ParameterLocation.COOKIE,
}
_STYLES = {ParameterLocation.QUERY: "form", ParameterLocation.COOKIE: "form"}
_FILES = frozenset({"MultipartFile", "FilePart", "Part"})
_VARIABLE = re.compile(r"\{([^{}/]+)\}")


@dataclass
class Argument:
    """A parameter of a handler method, with the annotations that it has anywhere in the hierarchy."""

    name: str
    kind: TypeName
    marks: list[Annotation]
    has_default: bool
    owner: Type
    bound: Bound = field(default_factory=dict)


class Parameters:
    def __init__(self, code: Code, annotations: Annotations) -> None:
        self.code = code
        self.annotations = annotations
        self.schemas = Schemas(code)

    def of(
        self, arguments: list[Argument], path: str, consumes: tuple[str, ...]
    ) -> tuple[tuple[Parameter, ...], RequestBody | None]:
        found: dict[tuple[ParameterLocation, str], Parameter] = {}
        parts: dict[str, Schema] = {}
        needed: list[str] = []
        body: RequestBody | None = None
        for argument in arguments:
            marks = {mark.name: mark for mark in argument.marks}
            mark = next((marks[name] for name in _LOCATIONS if name in marks), None)
            is_file = _element(argument.kind) in _FILES
            if "RequestBody" in marks:
                schema = self._schema(argument)
                types = consumes or (("text/plain",) if argument.kind[0] == "String" else ("application/json",))
                required = self._is_required(argument, marks["RequestBody"])
                body = RequestBody(required, tuple(MediaType(each, schema) for each in types))
            elif "RequestPart" in marks or (is_file and (mark is None or mark.name == "RequestParam")):
                part = marks.get("RequestPart") or mark
                name = self._name(argument, part)
                parts[name] = self._schema(argument)
                if part is not None and self._is_required(argument, part):
                    needed.append(name)
            elif mark is not None:
                location = _LOCATIONS[mark.name]
                if _element(argument.kind) in {"Map", "MultiValueMap", "HttpHeaders"}:
                    continue
                parameter = self._parameter(argument, location, mark)
                found[location, parameter.name] = parameter
            elif not argument.marks or marks.keys() <= {
                "ParameterObject",
                "Parameter",
                "Valid",
                "Validated",
                "NotNull",
            }:
                for parameter in self._unmarked(argument):
                    found.setdefault((ParameterLocation.QUERY, parameter.name), parameter)
        if parts and body is None:
            schema = {"type": "object", "properties": parts} | ({"required": needed} if needed else {})
            body = RequestBody(bool(needed), (MediaType("multipart/form-data", schema),))
        in_path = [found.get((ParameterLocation.PATH, each.name), each) for each in path_parameters(path)]
        others = [each for (location, _), each in found.items() if location is not ParameterLocation.PATH]
        return tuple(in_path + others), body

    def _unmarked(self, argument: Argument) -> list[Parameter]:
        """A simple value, or an object whose properties are read from the query."""
        kind = _element(argument.kind)
        if kind == "Pageable":
            schemas: dict[str, Schema] = {
                "page": {"type": "integer"},
                "size": {"type": "integer"},
                "sort": {"type": "array", "items": {"type": "string"}},
            }
        elif self.schemas.is_simple(argument.kind, argument.owner):
            schemas = {argument.name: self._schema(argument)}
        else:
            schema = self._schema(argument)
            if not isinstance(schema, dict) or "properties" not in schema:
                return []
            schemas = {name: each for name, each in schema["properties"].items() if _fits_query(each)}
        return [
            Parameter(name, ParameterLocation.QUERY, False, schema, "form", True) for name, schema in schemas.items()
        ]

    def _parameter(self, argument: Argument, location: ParameterLocation, mark: Annotation) -> Parameter:
        required = location is ParameterLocation.PATH or self._is_required(argument, mark)
        style = _STYLES.get(location, "simple")
        return Parameter(self._name(argument, mark), location, required, self._schema(argument), style, style == "form")

    def _schema(self, argument: Argument) -> Schema:
        return self.schemas.of(argument.kind, argument.owner, argument.bound)

    def _name(self, argument: Argument, mark: Annotation | None) -> str:
        value = mark.get("value", "name") if mark else None
        text = self.code.text(*value) if value else None
        return text.value if text and text.value and not text.unknown else argument.name

    def _is_required(self, argument: Argument, mark: Annotation) -> bool:
        required = mark.get("required")
        if required is not None and required[0] == ["k", False]:
            return False
        return not (mark.get("defaultValue") or argument.has_default or argument.kind[0] in {"?", "Optional"})


def path_parameters(path: str) -> tuple[Parameter, ...]:
    """Of the names in a template."""
    names = dict.fromkeys(_VARIABLE.findall(path))
    return tuple(Parameter(name, ParameterLocation.PATH, True, {"type": "string"}, "simple") for name in names)


def _element(kind: TypeName) -> str:
    """`List<MultipartFile>` to `MultipartFile`."""
    name = str(kind[0])
    if name in {"[]", "?", "List", "Optional", "Flux", "Mono", "Collection"} and kind[1]:
        return _element(kind[1][0])
    return name.rpartition(".")[2]


def _fits_query(schema: Schema) -> bool:
    if isinstance(schema, bool):
        return False
    if schema.get("type") == "array":
        return _fits_query(schema["items"])
    return schema.get("type") != "object"
