"""Prefixes that `configurePathMatch` or `setPathPrefixes` adds to the controllers of which a condition holds.

The conditions that are understood: `HandlerTypePredicate`, and lambdas that ask a class for its annotations, its
package or its supertypes. Of any other condition it is not known which controllers it means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.configuration import Application, Configurations
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, File, Scope, Text, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import Expression

_MEANT = "configurePathMatch"
DEEPEST = 20


@dataclass
class Value:
    """An expression with what the names in it stand for."""

    expression: Expression
    scope: Scope
    names: "Names"


Names: TypeAlias = dict[str, Value]


@dataclass
class _Prefix:
    path: Value
    condition: Value | None
    file: File


class Prefixes:
    def __init__(self, code: Code, annotations: Annotations, configurations: Configurations) -> None:
        self.code = code
        self.annotations = annotations
        self.configurations = configurations

    def of(self, controller: Type, application: Application) -> Text:
        """The first prefix whose condition holds for a controller."""
        for prefix in self._declared:
            path = prefix.file.path
            if self.configurations.is_application(path) and self.configurations.of(path) is not application:
                continue
            holds = True if prefix.condition is None else self._holds(prefix.condition, controller, 0)
            if holds is None:
                return Text("", ("whether a condition of addPathPrefix holds",))
            if holds:
                return application.fill(self._text(prefix.path, application))
        return Text("")

    @cached_property
    def _declared(self) -> list[_Prefix]:
        found: list[_Prefix] = []
        for file in self.code.roots:
            for type_ in file.walk():
                for method in type_.facts["methods"]:
                    if method["body"] and (method["name"] == _MEANT or _sets_prefixes(method["body"])):
                        found += self._of_body(method["body"], type_, {}, 0)
        return found

    def _of_body(self, body: list[Any], owner: Type, names: Names, depth: int) -> Iterator[_Prefix]:
        if depth > DEEPEST:
            return
        names = dict(names)
        for statement in body:
            if statement[0] == "let":
                names[statement[1]] = Value(statement[2], owner, names)
            expression = statement[-1]
            for call in _calls(expression):
                _, _, name, arguments, _ = call
                is_entry = name == "put" and len(arguments) == 2 and arguments[1][0] in {"fn", "c"}
                if arguments and (name == "addPathPrefix" or is_entry):
                    condition = Value(arguments[1], owner, names) if len(arguments) > 1 else None
                    yield _Prefix(Value(arguments[0], owner, names), condition, owner.file)
                elif call[1] in (None, ["n", "this"]) and (method := owner.method(name, len(arguments))):
                    given = {
                        parameter[0]: Value(argument, owner, names)
                        for parameter, argument in zip(method["parameters"], arguments, strict=True)
                    }
                    yield from self._of_body(method["body"] or [], owner, given, depth + 1)

    def _text(self, value: Value, application: Application) -> Text:
        found = self._evaluate(value, application, 0)
        return found if isinstance(found, Text) else self.code.text(value.expression, value.scope)

    def _evaluate(self, value: Value, application: Application, depth: int) -> "Text | Value | None":
        """A text, or an object as the `new` that makes it."""
        expression = value.expression
        if depth > DEEPEST:
            return None
        if expression[0] == "new":
            return value
        if expression[0] == "n":
            head, _, rest = expression[1].partition(".")
            if head in value.names:
                found: Text | Value | None = self._evaluate(value.names[head], application, depth + 1)
                for name in filter(None, rest.split(".")):
                    found = self._property(found, name, application, depth + 1)
                return found
            if (injected := self._injected(expression[1], value.scope)) is not None:
                return application.fill(injected)
            text = self.code.text(expression, value.scope)
            return None if text.unknown else text
        if expression[0] == "c" and not expression[3] and expression[1] is not None:
            name = expression[2].removeprefix("get")
            name = name[:1].lower() + name[1:]
            owner = expression[1]
            if owner[0] == "n" and isinstance(value.scope, Type):
                declared = self._declared_type(owner[1], value)
                field = declared.field(name) if declared else None
                if declared is not None and field is not None and field[4] is not None:
                    key = self._bound_key(declared, name)
                    if key and (configured := application.value(key)) is not None:
                        return Text(configured)
                    return self._evaluate(Value(field[4], declared, {}), application, depth + 1)
            found = self._evaluate(Value(owner, value.scope, value.names), application, depth + 1)
            return self._property(found, name, application, depth + 1)
        text = self.code.text(expression, value.scope)
        return None if text.unknown else text

    def _property(
        self, found: "Text | Value | None", name: str, application: Application, depth: int
    ) -> "Text | Value | None":
        """Of an object that is made by a constructor with all fields."""
        if not isinstance(found, Value) or found.expression[0] != "new":
            return None
        declared = self.code.resolve(found.expression[1][0], found.scope)
        if not isinstance(declared, Type):
            return None
        name = name[3:4].lower() + name[4:] if name.startswith("get") else name
        fields = [each for each in declared.facts["fields"] if each[3] in {"field", "component"}]
        arguments = found.expression[2]
        for index, field in enumerate(fields):
            if field[0] == name:
                if index < len(arguments):
                    return self._evaluate(Value(arguments[index], found.scope, found.names), application, depth)
                return self._evaluate(Value(field[4], declared, {}), application, depth) if field[4] else None
        return None

    def _declared_type(self, name: str, value: Value) -> Type | None:
        """Of a field or a parameter of the configuring class."""
        owner = value.scope
        if not isinstance(owner, Type):
            return None
        field = owner.field(name.removeprefix("this."))
        kind = field[1] if field else None
        if kind is None:
            for method in owner.facts["methods"]:
                for parameter in method["parameters"]:
                    if parameter[0] == name:
                        kind = parameter[1]
        found = self.code.resolve(kind[0], owner) if kind and kind[0] else None
        return found if isinstance(found, Type) else None

    def _bound_key(self, declared: Type, name: str) -> str:
        mark = self.annotations.first(declared.facts["annotations"], declared, ["ConfigurationProperties"])
        value = mark.get("prefix", "value") if mark else None
        text = self.code.text(*value) if value else None
        return f"{text.value}.{name}" if text and not text.unknown else ""

    def _injected(self, name: str, scope: Scope) -> Text | None:
        """What `@Value` gives to a field."""
        field = scope.field(name.removeprefix("this.")) if isinstance(scope, Type) else None
        if field is None:
            return None
        mark = self.annotations.first(field[2], scope, ["Value"])
        value = mark.get("value") if mark else None
        return self.code.text(*value) if value else None

    def _holds(self, condition: Value, controller: Type, depth: int) -> bool | None:
        expression = condition.expression
        again = [Value(each, condition.scope, condition.names) for each in _operands(expression)]
        if depth > DEEPEST:
            return None
        if expression[0] in {"&&", "||"}:
            answers = [self._holds(each, controller, depth + 1) for each in again]
            decisive: bool = expression[0] == "||"
            if decisive in answers:
                return decisive
            return None if None in answers else not decisive
        if expression[0] == "!":
            answer = self._holds(again[0], controller, depth + 1)
            return None if answer is None else not answer
        if expression[0] == "fn":
            last = expression[2][-1] if expression[2] else None
            return (
                self._holds(Value(last[-1], condition.scope, condition.names), controller, depth + 1) if last else None
            )
        if expression[0] == "n" and expression[1] in condition.names:
            return self._holds(condition.names[expression[1]], controller, depth + 1)
        if expression[0] == "c":
            return self._called(condition, controller, depth)
        return None

    def _called(self, condition: Value, controller: Type, depth: int) -> bool | None:
        _, owner, name, arguments, _ = condition.expression
        scope = condition.scope
        if name in {"and", "or"} and owner is not None and len(arguments) == 1:
            both = ["&&" if name == "and" else "||", [owner, arguments[0]]]
            return self._holds(Value(both, scope, condition.names), controller, depth + 1)
        if name == "negate" and owner is not None:
            return self._holds(Value(["!", owner], scope, condition.names), controller, depth + 1)
        if name == "forAnyHandlerType":
            return True
        if name in {"forAnnotation", "isAnnotationPresent", "hasAnnotation", "annotation"}:
            wanted = {each[1].rpartition(".")[2] for each in arguments if each[0] == "t"}
            names = {
                mark.name
                for each in self.code.ancestry(controller)
                for mark in self.annotations.of(each.facts["annotations"], each)
            } | {each[0].rpartition(".")[2] for each in controller.facts["annotations"]}
            return bool(wanted & names) if wanted else None
        if name in {"forBasePackage", "basePackage", "startsWith"}:
            texts = [self.code.text(each, scope) for each in arguments]
            if not texts or any(text.unknown for text in texts):
                return None
            qualified = controller.qualified + "."
            if name == "startsWith":
                return qualified.startswith(texts[0].value)
            return any(qualified.startswith(text.value.rstrip(".") + ".") for text in texts)
        if name in {"forBasePackageClass", "forAssignableType", "isAssignableFrom", "assignableType"}:
            listed = arguments if name != "isAssignableFrom" else [owner]
            found = [self.code.resolve(each[1], scope) for each in listed if each and each[0] == "t"]
            if not found:
                return None
            if name == "forBasePackageClass":
                packages = [each.file.package for each in found if isinstance(each, Type)]
                return any(f"{controller.file.package}.".startswith(f"{package}.") for package in packages)
            return any(each in self.code.ancestry(controller) for each in found if isinstance(each, Type))
        if name == "match" and len(arguments) == 2:
            application = self.configurations.of(controller.file.path)
            pattern = self._evaluate(Value(arguments[0], scope, condition.names), application, 0)
            return _matches(pattern.value, controller.file.package) if isinstance(pattern, Text) else None
        if name == "equals" and owner is not None and owner[0] == "t":
            return self.code.resolve(owner[1], scope) is controller
        return None


def _sets_prefixes(body: list[Any]) -> bool:
    """Of a `RequestMappingHandlerMapping`."""
    return any(call[2] == "setPathPrefixes" for statement in body for call in _calls(statement[-1]))


def _operands(expression: Expression) -> list[Expression]:
    if expression[0] in {"&&", "||"}:
        return list(expression[1])
    return [expression[1]] if expression[0] == "!" else []


def _calls(expression: Any) -> Iterator[Expression]:
    """Every call in an expression, lambdas included, from the outside to the inside."""
    pending = [expression]
    while pending:
        each = pending.pop()
        if not isinstance(each, list) or not each:
            continue
        if each[0] == "c" and len(each) == 5:
            yield each
        pending += [child for child in each[::-1] if isinstance(child, list)]


def _matches(pattern: str, package: str) -> bool | None:
    """`AntPathMatcher` over the names of a package: `**` is any number of them, `*` a part of one."""
    if len(pattern) > 200:
        return None
    parts = []
    for part in pattern.split("."):
        parts.append(r"(?:[^.]+\.)*" if part == "**" else re.escape(part).replace(r"\*", "[^.]*") + r"\.")
    return re.fullmatch("".join(parts), package + ".") is not None
