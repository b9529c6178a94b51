"""Routes of annotated controllers.

https://docs.spring.io/spring-framework/reference/web/webmvc/mvc-controller/ann-requestmapping.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backend.app.engine.spec.model import Operation
from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotation, Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.configuration import Application, Configurations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.dispatchers import Dispatchers
from backend.app.modules.endpoints.discovery.source.frameworks.spring.generated import (
    GeneratedInterfaces,
    method_name,
)
from backend.app.modules.endpoints.discovery.source.frameworks.spring.parameters import Argument, Parameters
from backend.app.modules.endpoints.discovery.source.frameworks.spring.paths import combine, join, to_template
from backend.app.modules.endpoints.discovery.source.frameworks.spring.prefixes import Prefixes
from backend.app.modules.endpoints.discovery.source.frameworks.spring.schemas import Bound
from backend.app.modules.endpoints.discovery.source.frameworks.spring.security import Security
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import DEEPEST, Code, Text, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import TypeName
from backend.app.modules.endpoints.discovery.source.model import Route, SourceFault

_MAPPINGS = {
    "RequestMapping": "",
    "GetMapping": "GET",
    "PostMapping": "POST",
    "PutMapping": "PUT",
    "DeleteMapping": "DELETE",
    "PatchMapping": "PATCH",
    "HttpExchange": "",
    "GetExchange": "GET",
    "PostExchange": "POST",
    "PutExchange": "PUT",
    "DeleteExchange": "DELETE",
    "PatchExchange": "PATCH",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
_SAME = {"integer": "int", "character": "char"}
_KNOWN_PARENTS = re.compile(r"(?:java|javax|jakarta|kotlin|org\.slf4j|org\.springframework\.(?!samples))\.")
MOST_ROUTES = 2_000
"""Of one method; more are no table that somebody wrote."""


@dataclass
class Mapping:
    paths: list[Text]
    methods: tuple[str, ...]
    consumes: tuple[str, ...]
    file: str
    line: int


@dataclass
class Declared:
    """A method where it is declared."""

    owner: Type
    facts: Facts
    bound: Bound


class Controllers:
    def __init__(
        self,
        code: Code,
        annotations: Annotations,
        configurations: Configurations,
        prefixes: Prefixes,
        security: Security,
    ) -> None:
        self.code = code
        self.annotations = annotations
        self.configurations = configurations
        self.prefixes = prefixes
        self.security = security
        self.dispatchers = Dispatchers(code, annotations, configurations)
        self.parameters = Parameters(code, annotations)
        self.generated = GeneratedInterfaces(code)

    def routes(self) -> Iterator[Route | SourceFault]:
        for file in self.code.roots:
            self.code.sources.check()
            for type_ in file.walk():
                if type_.facts["kind"] in {"class", "object"} and not type_.facts["abstract"]:
                    names = {each.name for each in self.annotations.of(type_.facts["annotations"], type_)}
                    if "Component" in names and self._is_handler(type_):
                        yield from self._of_controller(type_, names)
                elif type_.facts["kind"] == "interface":
                    yield from self._repository(type_)

    def _repository(self, type_: Type) -> Iterator[SourceFault]:
        exported = self.annotations.first(type_.facts["annotations"], type_, ["RepositoryRestResource"])
        if exported is None or (exported.get("exported") or [None])[0] == ["k", False]:
            return
        message = f"the endpoints that Spring Data REST makes of {type_.name} are not listed"
        yield SourceFault(type_.file.path, exported.line, message)

    def _is_handler(self, type_: Type) -> bool:
        return any(
            mark.name == "Controller"
            for each in self.code.ancestry(type_)
            for mark in self.annotations.of(each.facts["annotations"], each)
        )

    def _of_controller(self, controller: Type, names: set[str]) -> Iterator[Route | SourceFault]:
        ancestry = self.code.ancestry(controller)
        application = self.configurations.of(controller.file.path)
        common = next((found for each in ancestry if (found := self._mapping(each.facts, each))), None)
        prefix, reason = self._prefix(controller, names, application)
        mapped_names: set[str] = set()
        for methods in self._methods(controller):
            mapped = next((found for each in methods if (found := self._mapping(each.facts, each.owner))), None)
            if mapped is not None:
                mapped_names.add(methods[0].facts["name"])
                yield from self._routes(controller, ancestry, common, mapped, methods, prefix, reason, application)
        missing = [name for each in ancestry for name in self.code.supertypes(each)[2]]
        for name in missing:
            operations = list(self.generated.operations(name))
            bases = common.paths if common else [Text("")]
            for operation in operations:
                if method_name(operation) not in mapped_names:
                    for base in bases:
                        yield self._of_operation(
                            controller, ancestry, operation, application.fill(base), prefix, reason
                        )
            if not operations and not mapped_names and _KNOWN_PARENTS.match(name) is None:
                message = f"{controller.name}: the mappings of {name}, which is not in the tree, are not known"
                yield SourceFault(controller.file.path, controller.facts["line"], message)

    def _of_operation(
        self, controller: Type, ancestry: list[Type], operation: Operation, base: Text, prefix: Text, reason: str
    ) -> Route:
        name = method_name(operation)
        method = next((each for each in controller.facts["methods"] if each["name"] == name), None)
        marks = self.annotations.of(method["annotations"], controller) if method else []
        class_marks = [mark for each in ancestry for mark in self.annotations.of(each.facts["annotations"], each)]
        path = to_template(join(prefix.value, combine(base.value, operation.path)))
        unknown = dict.fromkeys(prefix.unknown + base.unknown)
        return Route(
            method=operation.method,
            path=path,
            file=controller.file.path,
            line=(method or controller.facts)["line"],
            framework="spring",
            handler=f"{controller.name}.{name}",
            parameters=operation.parameters,
            body=operation.body,
            requires_auth=self.security.of(marks, class_marks),
            unresolved=reason or (f"{', '.join(unknown)} is not known" if unknown else ""),
            tags=self._tags(class_marks) or operation.tags,
            deprecated=operation.deprecated or _is_deprecated(marks),
        )

    def _prefix(self, controller: Type, names: set[str], application: Application) -> tuple[Text, str]:
        added = self.prefixes.of(controller, application)
        prefix = application.prefix
        if "BasePathAwareController" in names:
            base = application.fill(Text(application.value("spring.data.rest.base-path") or ""))
            prefix = Text(join(prefix.value, base.value), prefix.unknown + base.unknown)
        served = self.dispatchers.prefix(controller)
        value = join(join(prefix.value, served.value), added.value)
        return Text(value, prefix.unknown + served.unknown + added.unknown), application.unresolved

    def _routes(
        self,
        controller: Type,
        ancestry: list[Type],
        common: Mapping | None,
        mapped: Mapping,
        methods: list[Declared],
        prefix: Text,
        reason: str,
        application: Application,
    ) -> Iterator[Route]:
        verbs = tuple(dict.fromkeys((common.methods if common else ()) + mapped.methods)) or ("*",)
        arguments = self._arguments(methods)
        marks = [mark for each in methods for mark in self.annotations.of(each.facts["annotations"], each.owner)]
        class_marks = [mark for each in ancestry for mark in self.annotations.of(each.facts["annotations"], each)]
        count = 0
        for base in common.paths if common else [Text("")]:
            for own in mapped.paths:
                first, second = application.fill(base), application.fill(own)
                raw = join(prefix.value, combine(first.value, second.value)) or "/"
                path = to_template(raw)
                unknown = prefix.unknown + first.unknown + second.unknown
                unresolved = reason or (f"{', '.join(dict.fromkeys(unknown))} is not known" if unknown else "")
                parameters, body = self.parameters.of(arguments, path, mapped.consumes)
                for verb in verbs:
                    count += 1
                    if count > MOST_ROUTES:
                        return
                    yield Route(
                        method=verb,
                        path=path,
                        file=mapped.file,
                        line=mapped.line,
                        framework="spring",
                        handler=f"{controller.name}.{methods[0].facts['name']}",
                        parameters=parameters,
                        body=body if verb not in {"GET", "HEAD"} or body is None or body.required else None,
                        requires_auth=self.security.of(marks, class_marks),
                        unresolved=unresolved,
                        tags=self._tags(class_marks),
                        deprecated=_is_deprecated(marks) or _is_deprecated(class_marks),
                    )

    def _tags(self, class_marks: list[Annotation]) -> tuple[str, ...]:
        tags: list[str] = []
        for mark in class_marks:
            value = mark.get("name") if mark.name == "Tag" else mark.get("tags") if mark.name == "Api" else None
            if value is not None:
                tags += [text.value for text in self.code.texts(*value) if text.value and not text.unknown]
        return tuple(dict.fromkeys(tags))

    def _mapping(self, facts: Facts, owner: Type) -> Mapping | None:
        mark = self.annotations.first(facts["annotations"], owner, _MAPPINGS)
        if mark is None:
            return None
        value = next(
            (
                mark.values[name]
                for name in ("value", "path", "url")
                if name in mark.values and mark.values[name][0] != ["l", []]
            ),
            None,
        )
        methods = [_MAPPINGS[mark.name]] if _MAPPINGS[mark.name] else self._verbs(mark)
        consumes = mark.get("consumes")
        types = [text.value for text in self.code.texts(*consumes)] if consumes else []
        return Mapping(
            self.code.texts(*value) if value else [Text("")],
            tuple(methods),
            tuple(each for each in map(_media_type, types) if each),
            mark.file,
            mark.line,
        )

    def _verbs(self, mark: Annotation) -> list[str]:
        value = mark.get("method")
        if value is None:
            return []
        items = value[0][1] if value[0][0] == "l" else [value[0]]
        names = [item[1].rpartition(".")[2] if item[0] in {"n", "s"} else "" for item in items]
        return [name for name in names if name in _METHODS]

    def _methods(self, controller: Type) -> list[list[Declared]]:
        """Every method with those that it overrides, the nearest first."""
        groups: dict[tuple[str, int], list[list[Declared]]] = {}
        seen: set[int] = set()

        def visit(each: Type, bound: Bound, depth: int) -> None:
            if id(each) in seen or depth > DEEPEST:
                return
            seen.add(id(each))
            fresh: list[list[Declared]] = []
            for facts in each.facts["methods"]:
                declared = Declared(each, facts, bound)
                key = (facts["name"], len(facts["parameters"]))
                group = next((group for group in groups.get(key, []) if _overrides(group[0], declared)), None)
                if group is not None and group not in fresh:
                    group.append(declared)
                else:
                    fresh.append([declared])
                    groups.setdefault(key, []).append(fresh[-1])
            classes, interfaces, _ = self.code.supertypes(each)
            for parent, (_, arguments) in interfaces + classes:
                visit(parent, _bind(parent, arguments, each, bound), depth + 1)

        visit(controller, {}, 0)
        return [group for found in groups.values() for group in found]

    def _arguments(self, methods: list[Declared]) -> list[Argument]:
        arguments = []
        for index, (name, kind, _, has_default) in enumerate(methods[0].facts["parameters"]):
            marks: list[Annotation] = []
            known = name
            for each in methods:
                listed = each.facts["parameters"][index][2]
                if listed:
                    marks += self.annotations.of(listed, each.owner)
            arguments.append(Argument(known, kind, marks, has_default, methods[0].owner, methods[0].bound))
        return arguments


def _bind(parent: Type, arguments: list[TypeName], child: Type, bound: Bound) -> Bound:
    """What the type parameters of a supertype stand for."""
    return {
        parameter: bound.get(argument[0], (argument, child))
        for parameter, argument in zip(parent.facts["parameters"], arguments, strict=False)
    }


def _overrides(nearer: Declared, further: Declared) -> bool:
    pairs = zip(nearer.facts["parameters"], further.facts["parameters"], strict=True)
    return all(_same(ours[1], nearer, theirs[1], further) for ours, theirs in pairs)


def _same(ours: TypeName, nearer: Declared, theirs: TypeName, further: Declared) -> bool:
    first, second = _erased(ours, nearer), _erased(theirs, further)
    return not first or not second or first == second


def _erased(kind: TypeName, declared: Declared) -> str:
    """In one spelling for both languages; empty for a type parameter that may be anything."""
    while kind[0] == "?":
        kind = kind[1][0]
    if kind[0] in declared.bound:
        kind = declared.bound[kind[0]][0]
    elif kind[0] in declared.owner.facts["parameters"]:
        return ""
    if len(kind[0]) == 1 and kind[0].isupper():
        return ""
    simple = str(kind[0]).rpartition(".")[2].lower()
    return _SAME.get(simple, simple)


def _is_deprecated(marks: list[Annotation]) -> bool:
    for mark in marks:
        if mark.name == "Deprecated":
            return True
        if mark.name == "Operation" and (mark.get("deprecated") or [None])[0] == ["k", True]:
            return True
    return False


def _media_type(text: str) -> str:
    """`{APPLICATION_JSON_VALUE}` is a constant of Spring's `MediaType`."""
    if text.startswith("{"):
        name = text.strip("{}").removesuffix("_VALUE").lower()
        kind, _, rest = name.partition("_")
        return f"{kind}/{rest.replace('_', '-')}" if rest else ""
    return "" if text.startswith("!") else text
