"""Names of Java and Kotlin across the files of a tree: types, supertypes and constants."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from backend.app.modules.endpoints.discovery.source import Facts, Sources
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import Expression, TypeName
from backend.app.modules.endpoints.discovery.source.model import SourceFault

DEEPEST = 40
"""Constants that refer to each other, and supertypes above each other."""
LONGEST = 2_000

_TESTS = re.compile(r"(^|/)src/(?!main)\w*[tT]est\w*/|(^|/)src/it/")
_OTHERS_LANGUAGE = re.compile(r"\.(java|kt)$")


@dataclass(eq=False)
class Type:
    """A class, interface, enum, annotation or object of the tree."""

    file: "File"
    facts: Facts
    outer: "Type | None"

    @property
    def name(self) -> str:
        return str(self.facts["name"])

    @cached_property
    def qualified(self) -> str:
        """`a.b.Outer.Inner`."""
        owner = self.outer.qualified if self.outer else self.file.package
        return f"{owner}.{self.name}" if owner else self.name

    @cached_property
    def nested(self) -> dict[str, "Type"]:
        return {each["name"]: Type(self.file, each, self) for each in self.facts["types"]}

    @property
    def companion(self) -> "Type | None":
        return next((each for each in self.nested.values() if each.facts.get("companion")), None)

    def field(self, name: str) -> list[Any] | None:
        return next((each for each in self.facts["fields"] if each[0] == name), None)

    def method(self, name: str, arity: int) -> Facts | None:
        return next(
            (each for each in self.facts["methods"] if each["name"] == name and len(each["parameters"]) == arity), None
        )

    def walk(self) -> Iterator["Type"]:
        """It and what is nested in it."""
        yield self
        for each in self.nested.values():
            yield from each.walk()


class File:
    def __init__(self, path: str, facts: Facts) -> None:
        self.path = path
        self.package: str = facts.get("package", "")
        self.imports: list[tuple[str, str, str]] = [(a, b, c) for a, b, c in facts.get("imports", [])]
        self.fields: list[list[Any]] = facts.get("fields", [])
        self.methods: list[Facts] = facts.get("methods", [])
        self.types = {each["name"]: Type(self, each, None) for each in facts.get("types", [])}

    def walk(self) -> Iterator[Type]:
        for each in self.types.values():
            yield from each.walk()


Scope: TypeAlias = Type | File
"""Where a name is written."""


@dataclass
class Text:
    """A string as far as it can be told."""

    value: str
    unknown: tuple[str, ...] = ()
    """Names in it that could not be resolved; each stands as `{name}` in the value."""


@dataclass
class _Index:
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    by_folder: dict[str, list[str]] = field(default_factory=dict)
    """Kotlin files, which may hold what is not called as they are."""


class Code:
    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.faults: list[SourceFault] = []
        self._files: dict[str, File | None] = {}
        self._found: dict[tuple[str, str], Type | None] = {}
        self._resolved: dict[tuple[int, str], Type | str] = {}
        self._constants: dict[tuple[str, str, str], list[Any] | None] = {}

    @property
    def roots(self) -> Iterator[File]:
        for path in self.sources.roots:
            if not is_test(path) and (file := self.file(path)):
                yield file

    def file(self, path: str) -> File | None:
        if path not in self._files:
            facts = self.sources.facts(path)
            self._files[path] = File(path, facts) if facts is not None else None
        return self._files[path]

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        for path in sorted(self.sources.paths):
            if not _OTHERS_LANGUAGE.search(path) or is_test(path):
                continue
            folder, _, name = path.rpartition("/")
            stem, _, suffix = name.rpartition(".")
            index.by_stem.setdefault(stem, []).append(path)
            if suffix == "kt":
                index.by_folder.setdefault(folder.rpartition("/")[2], []).append(path)
        return index

    def resolve(self, name: str, scope: Scope) -> Type | str:
        """The type that a name means. A string is the qualified name of one that is not in the tree, or the name as it
        stands when that cannot be told."""
        key = (id(scope), name)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(name, scope)
        return self._resolved[key]

    def _resolve(self, name: str, scope: Scope) -> Type | str:
        head, _, rest = name.partition(".")
        found = self._resolve_simple(head, scope)
        if isinstance(found, Type):
            return _inner(found, rest) or f"{found.qualified}.{rest}"
        if found != head:
            return f"{found}.{rest}" if rest else found
        if rest:
            return self.find(name, _file(scope).path) or name
        return name

    def _resolve_simple(self, name: str, scope: Scope) -> Type | str:
        owner: Type | None = scope if isinstance(scope, Type) else None
        while owner is not None:
            if owner.name == name:
                return owner
            if name in owner.nested:
                return owner.nested[name]
            owner = owner.outer
        file = _file(scope)
        if name in file.types:
            return file.types[name]
        for package, imported, alias in file.imports:
            if alias == name:
                qualified = f"{package}.{imported}" if package else imported
                return self.find(qualified, file.path) or qualified
        near = self.find(f"{file.package}.{name}" if file.package else name, file.path)
        if near is not None:
            return near
        for package, imported, _ in file.imports:
            if imported == "*" and (found := self.find(f"{package}.{name}", file.path)):
                return found
        if isinstance(scope, Type):
            for parent in self._parents_outwards(scope):
                if name in parent.nested:
                    return parent.nested[name]
        return name

    def _parents_outwards(self, scope: Type) -> Iterator[Type]:
        owner: Type | None = scope
        while owner is not None:
            for kind in owner.facts["extends"] + owner.facts["implements"]:
                if kind[0] != owner.name and "." not in kind[0]:
                    parent = self._resolve_simple(kind[0], owner.outer or owner.file)
                    if isinstance(parent, Type):
                        yield parent
            owner = owner.outer

    def find(self, qualified: str, near: str) -> Type | None:
        """By its qualified name; of several that are called so, the one whose file is nearest to `near`."""
        key = (qualified, near)
        if key not in self._found:
            self._found[key] = self._find(qualified, near)
        return self._found[key]

    def _find(self, qualified: str, near: str) -> Type | None:
        segments = qualified.split(".")
        for length in range(len(segments), 0, -1):
            package, name = segments[: length - 1], segments[length - 1]
            if not name[:1].isupper() and length != len(segments):
                continue
            for path in self._places(package, name, near):
                file = self.file(path)
                if file is not None and file.package == ".".join(package) and name in file.types:
                    found = _inner(file.types[name], ".".join(segments[length:]))
                    if found is not None:
                        return found
        return None

    def _places(self, package: list[str], name: str, near: str) -> list[str]:
        folder = "/".join(package)
        named = self._index.by_stem.get(name, [])
        exact = [path for path in named if ("/" + path.rpartition("/")[0]).endswith("/" + folder)]
        others = [path for path in named if path not in exact and path.endswith(".kt")]
        places = _nearest(exact, near) + _nearest(others, near)
        word = re.compile(rb"\b(?:class|interface|object)\s+" + re.escape(name.encode()) + rb"\b")
        return places or [path for path in self._beside(package, near) if self._mentions(path, word)]

    def _beside(self, package: list[str], near: str) -> list[str]:
        """Kotlin files that may be of a package."""
        folder = "/".join(package)
        listed = self._index.by_folder.get(package[-1] if package else "", [])
        return _nearest([path for path in listed if ("/" + path.rpartition("/")[0]).endswith("/" + folder)], near)

    def _mentions(self, path: str, word: re.Pattern[bytes]) -> bool:
        return word.search(self.sources.text(path) or b"") is not None

    def supertypes(self, type_: Type) -> tuple[list[tuple[Type, TypeName]], list[tuple[Type, TypeName]], list[str]]:
        """Superclasses and interfaces with the name by which they are given, and the names of those not in the tree."""
        classes: list[tuple[Type, TypeName]] = []
        interfaces: list[tuple[Type, TypeName]] = []
        missing: list[str] = []
        for kind in type_.facts["extends"] + type_.facts["implements"]:
            found = self.resolve(kind[0], type_.outer or type_.file)
            if isinstance(found, str):
                missing.append(found)
            elif found is not type_:
                (interfaces if found.facts["kind"] == "interface" else classes).append((found, kind))
        return classes, interfaces, missing

    def ancestry(self, type_: Type) -> list[Type]:
        """It, its interfaces, its superclass, theirs: in the order in which Spring searches them for annotations."""
        order: dict[int, Type] = {}

        def visit(each: Type, depth: int) -> None:
            if id(each) in order or depth > DEEPEST:
                return
            order[id(each)] = each
            classes, interfaces, _ = self.supertypes(each)
            for parent, _ in interfaces + classes:
                visit(parent, depth + 1)

        visit(type_, 0)
        return list(order.values())

    def constant(self, name: str, scope: Scope) -> tuple[Expression, Scope] | None:
        """What a field was set to where it is declared, and where that is."""
        owner_name, _, last = name.rpartition(".")
        if owner_name in {"", "this"}:
            return self._own_constant(last, scope)
        owner = self.resolve(owner_name, scope)
        return self._member(owner, last, 0) if isinstance(owner, Type) else self._top_level(owner, last, scope)

    def _own_constant(self, name: str, scope: Scope) -> tuple[Expression, Scope] | None:
        owner = scope if isinstance(scope, Type) else None
        while owner is not None:
            if (found := self._member(owner, name, 0)) is not None:
                return found
            owner = owner.outer
        file = _file(scope)
        if (found := _value(file.fields, name, file)) is not None:
            return found
        for package, imported, alias in file.imports:
            if alias == name or imported == "*":
                holder = self.find(package, file.path)
                member = name if imported == "*" else imported
                if holder is not None and (found := self._member(holder, member, 0)) is not None:
                    return found
                if (found := self._top_level(package, member, scope)) is not None:
                    return found
        return self._top_level(file.package, name, scope)

    def _member(self, owner: Type, name: str, depth: int) -> tuple[Expression, Scope] | None:
        if depth > DEEPEST:
            return None
        if (found := _value(owner.facts["fields"], name, owner)) is not None:
            return found
        if (companion := owner.companion) and (found := _value(companion.facts["fields"], name, companion)):
            return found
        classes, interfaces, _ = self.supertypes(owner)
        for parent, _ in interfaces + classes:
            if (found := self._member(parent, name, depth + 1)) is not None:
                return found
        return None

    def _top_level(self, package: str, name: str, scope: Scope) -> tuple[Expression, Scope] | None:
        word = re.compile(rb"\bva[lr]\s+" + re.escape(name.encode()) + rb"\b")
        for path in self._beside(package.split("."), _file(scope).path):
            file = self.file(path) if self._mentions(path, word) else None
            found = _value(file.fields, name, file) if file is not None and file.package == package else None
            if found is not None:
                return found
        return None

    def text(self, expression: Expression, scope: Scope, depth: int = 0) -> Text:
        """A string of literals and constants. What is neither stands in it as `{name}`."""
        match expression[0]:
            case "s":
                return Text(expression[1])
            case "k":
                return Text(str(expression[1]))
            case "+":
                parts = [self.text(each, scope, depth + 1) for each in expression[1]]
                value = "".join(part.value for part in parts)[:LONGEST]
                return Text(value, tuple(name for part in parts for name in part.unknown))
            case "n" if depth < DEEPEST:
                found = self.constant(expression[1], scope)
                if found is not None:
                    return self.text(*found, depth + 1)
                return _unknown(expression[1])
            case "l" if len(expression[1]) == 1:
                return self.text(expression[1][0], scope, depth + 1)
            case "a":
                return _unknown(expression[2])
            case "c":
                if expression[2] in {"toString", "trimIndent", "trim"} and expression[1] and not expression[3]:
                    return self.text(expression[1], scope, depth + 1)
                return _unknown(f"{expression[2]}()")
        return _unknown("expression")

    def texts(self, expression: Expression | None, scope: Scope, depth: int = 0) -> list[Text]:
        """Of a literal list, a constant that is one, or one string."""
        if expression is None or depth > DEEPEST:
            return []
        if expression[0] == "l":
            return [text for each in expression[1] for text in self.texts(each, scope, depth + 1)]
        if expression[0] == "n":
            found = self.constant(expression[1], scope)
            if found is not None:
                return self.texts(*found, depth + 1)
        return [self.text(expression, scope)]


def is_test(path: str) -> bool:
    return _TESTS.search(path) is not None


def _file(scope: Scope) -> File:
    return scope.file if isinstance(scope, Type) else scope


def _inner(type_: Type, names: str) -> Type | None:
    for name in filter(None, names.split(".")):
        inner = type_.nested.get(name)
        if inner is None:
            return None
        type_ = inner
    return type_


def _value(fields: list[list[Any]], name: str, scope: Scope) -> tuple[Expression, Scope] | None:
    return next(((each[4], scope) for each in fields if each[0] == name and each[4] is not None), None)


def _unknown(name: str) -> Text:
    return Text("{" + name.rpartition(".")[2].strip("()") + "}", (name,))


def _nearest(paths: list[str], near: str) -> list[str]:
    if len(paths) < 2:
        return paths
    folders = PurePosixPath(near).parts

    def common(path: str) -> int:
        count = 0
        for ours, theirs in zip(folders, PurePosixPath(path).parts, strict=False):
            if ours != theirs:
                break
            count += 1
        return count

    return sorted(paths, key=lambda path: (-common(path), path))
