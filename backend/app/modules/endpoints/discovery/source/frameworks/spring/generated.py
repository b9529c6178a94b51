"""Interfaces that OpenAPI Generator makes of a description when the application is built.

They are not in the tree, their description often is: an interface `OwnersApi` holds the operations with the tag
`owners` (`useTags`), or those whose path begins with `/owners`.
https://openapi-generator.tech/docs/generators/spring
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
    SpecError,
)
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, is_test

_DOCUMENT = re.compile(r"(?:^|/)(?:openapi|swagger|api|api-docs)\.(?:ya?ml|json)$")
_USES_TAGS = re.compile(r"useTags\W+(?:value\W+)?true")
_WORD = re.compile(r"[A-Za-z0-9]+")
MOST_DOCUMENTS = 50
MOST_VALUES = 2_000
"""Of one schema with its references written out; what is more may be anything."""


class GeneratedInterfaces:
    def __init__(self, code: Code) -> None:
        self.code = code

    def operations(self, interface: str) -> Iterator[Operation]:
        """Of an interface that is not in the tree, by its name."""
        simple = interface.rpartition(".")[2]
        if not simple.endswith("Api") or simple == "Api":
            return
        ways = (_tags, _first_segment) if self._uses_tags else (_first_segment, _tags)
        for names in ways:
            for description in self._descriptions:
                found = [each for each in description.operations if f"{simple[:-3]}".lower() in names(each)]
                if found:
                    yield from (_complete(each, description) for each in found)
                    return

    @cached_property
    def _uses_tags(self) -> bool:
        builds = (path for path in self.code.sources.paths if path.endswith(("pom.xml", ".gradle", ".gradle.kts")))
        return any(_USES_TAGS.search((self.code.sources.text(path) or b"").decode("latin-1")) for path in builds)

    @cached_property
    def _descriptions(self) -> list[ApiDescription]:
        found = []
        paths = [path for path in sorted(self.code.sources.paths) if _DOCUMENT.search(path) and not is_test(path)]
        for path in paths[:MOST_DOCUMENTS]:
            self.code.sources.check()
            try:
                found.append(describe(parse_document(self.code.sources.text(path) or b"")))
            except SpecError:
                continue
        return found


def method_name(operation: Operation) -> str:
    """As the generator writes an operation id in Java."""
    words: list[str] = _WORD.findall(operation.operation_id or "") or [""]
    first, *others = words
    return first[:1].lower() + first[1:] + "".join(word[:1].upper() + word[1:] for word in others)


def _tags(operation: Operation) -> set[str]:
    return {"".join(_WORD.findall(tag)).lower() for tag in operation.tags or ("default",)}


def _first_segment(operation: Operation) -> set[str]:
    segment = operation.path.strip("/").partition("/")[0]
    return {"".join(_WORD.findall(segment)).lower() if "{" not in segment and segment else "default"}


def _complete(operation: Operation, description: ApiDescription) -> Operation:
    """With schemas that need no definitions."""
    whole = _Whole(description)
    body = operation.body
    return Operation(
        method=operation.method,
        path=operation.path,
        operation_id=operation.operation_id,
        tags=operation.tags,
        deprecated=operation.deprecated,
        parameters=tuple(
            Parameter(each.name, each.location, each.required, whole.schema(each.schema), each.style, each.explode)
            for each in operation.parameters
        ),
        body=body
        and RequestBody(
            body.required, tuple(MediaType(each.content_type, whole.schema(each.schema)) for each in body.content)
        ),
    )


class _Whole:
    def __init__(self, description: ApiDescription) -> None:
        self.definitions = description.definitions
        self.left = MOST_VALUES

    def schema(self, schema: Schema) -> Schema:
        written: Schema = self._value(schema, ())
        return written

    def _value(self, value: Any, within: tuple[str, ...]) -> Any:
        self.left -= 1
        if self.left < 0 or len(within) > 3:
            return True
        if isinstance(value, list):
            return [self._value(each, within) for each in value]
        if not hasattr(value, "items"):
            return value
        if isinstance(reference := value.get("$ref"), str):
            name = reference.rpartition("/")[2]
            return self._value(self.definitions.get(name, True), (*within, name)) if name not in within else True
        return {key: self._value(each, within) for key, each in value.items()}
