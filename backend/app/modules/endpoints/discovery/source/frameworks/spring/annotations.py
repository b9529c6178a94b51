"""Annotations as Spring merges them: meta-annotations, composed annotations and `@AliasFor`.

https://github.com/spring-projects/spring-framework/wiki/Spring-Annotation-Programming-Model
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, Scope, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import Expression

_PACKAGES = (
    "org.springframework.",
    "jakarta.",
    "javax.",
    "java.lang.",
    "kotlin.",
    "io.swagger.",
    "com.fasterxml.jackson.",
    "lombok.",
    "org.jetbrains.",
)
_META = {
    "RestController": ("Controller", "Component", "ResponseBody"),
    "Controller": ("Component",),
    "RepositoryRestController": ("BasePathAwareController", "Controller", "Component"),
    "BasePathAwareController": ("Controller", "Component"),
    "Service": ("Component",),
    "Repository": ("Component",),
    "Configuration": ("Component",),
    "SpringBootApplication": ("Configuration", "Component"),
    "ControllerAdvice": ("Component",),
    "RestControllerAdvice": ("Component",),
}
"""The stereotypes of Spring that imply others."""
DEEPEST = 10


@dataclass
class Annotation:
    """One of a library. A composed one of the tree is given as what it is composed of."""

    name: str
    """Without its package."""
    values: dict[str, tuple[Expression, Scope]] = field(default_factory=dict)
    """Elements with where their value is written."""
    line: int = 0
    file: str = ""

    def get(self, *names: str) -> tuple[Expression, Scope] | None:
        return next((self.values[name] for name in names if name in self.values), None)


class Annotations:
    def __init__(self, code: Code) -> None:
        self.code = code

    def of(self, written: Iterable[list[Any]], scope: Scope) -> list[Annotation]:
        """What annotations mean, in their order, each before those that it is composed of."""
        found: list[Annotation] = []
        for name, values, line in written:
            path = scope.file.path if isinstance(scope, Type) else scope.path
            outer = Annotation(name, {key: (value, scope) for key, value in values.items()}, line, path)
            found += self._expand(outer, scope, 0)
        return found

    def first(self, written: Iterable[list[Any]], scope: Scope, names: Iterable[str]) -> Annotation | None:
        wanted = set(names)
        return next((each for each in self.of(written, scope) if each.name in wanted), None)

    def _expand(self, annotation: Annotation, scope: Scope, depth: int) -> Iterator[Annotation]:
        declared = self.code.resolve(annotation.name, scope)
        if isinstance(declared, str):
            simple = declared.rpartition(".")[2]
            if simple == declared or declared.startswith(_PACKAGES):
                yield Annotation(simple, annotation.values, annotation.line, annotation.file)
                for implied in _META.get(simple, ()):
                    yield Annotation(implied, annotation.values, annotation.line, annotation.file)
            return
        if depth > DEEPEST or declared.facts["kind"] != "annotation":
            return
        given = dict(annotation.values)
        for element, _, marks in _elements(declared):
            target, attribute = _alias(marks)
            if target is None and attribute is not None and element in given:
                given.setdefault(attribute, given[element])
        for name, values, _ in declared.facts["annotations"]:
            inner = Annotation(
                name, {key: (value, declared) for key, value in values.items()}, annotation.line, annotation.file
            )
            for element, default, marks in _elements(declared):
                value = given.get(element)
                if value is None and default is not None and default not in (["l", []], ["s", ""]):
                    value = (default, declared)
                if value is None:
                    continue
                target, attribute = _alias(marks)
                if target == name.rpartition(".")[2]:
                    inner.values[attribute or element] = value
                elif target is None and element != "value":
                    inner.values[element] = value
            yield from self._expand(inner, declared, depth + 1)


def _elements(declared: Type) -> Iterator[tuple[str, Expression | None, list[Any]]]:
    for method in declared.facts["methods"]:
        yield method["name"], method["default"], method["annotations"]
    for name, _, marks, storage, default in declared.facts["fields"]:
        if storage == "component":
            yield name, default, marks


def _alias(marks: list[Any]) -> tuple[str | None, str | None]:
    """The annotation and the element that `@AliasFor` names."""
    for name, values, _ in marks:
        if name.rpartition(".")[2] == "AliasFor":
            target = values.get("annotation", [""])
            attribute = values.get("attribute") or values.get("value") or [""]
            return (
                target[1].rpartition(".")[2] if target[0] == "t" else None,
                attribute[1] if attribute[0] == "s" else None,
            )
    return None, None
