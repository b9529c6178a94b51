"""Modules and packages: what `require` and `import` give, and what `export` adds to it.

Both systems are one here, as compilers and Node itself allow them to be mixed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from backend.app.modules.endpoints.discovery.source.languages.javascript.assignment import names_in
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.loaders import context
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.packages import PACKAGES
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import ROOT
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Lazy,
    Namespace,
    NativeFunction,
    Obj,
    Scope,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

Package: TypeAlias = Callable[["Evaluator"], Value]
"""What importing a package gives."""


@dataclass(eq=False)
class Module:
    path: str
    scope: Scope = field(init=False)
    exports: Namespace = field(default_factory=Namespace)
    holder: Obj = field(init=False)
    """`module`"""
    has_esm_syntax: bool = False

    def __post_init__(self) -> None:
        self.holder = Obj({"exports": self.exports})
        self.scope = Scope({}, None, self)

    @property
    def value(self) -> Value:
        """What was assigned to `module.exports` stands before what was exported by name: bundlers allow both."""
        return self.holder.props["exports"]

    @property
    def is_esm(self) -> bool:
        return self.has_esm_syntax and self.value is self.exports


class Modules:
    """The modules of a tree, each evaluated when it is first asked for, and the packages that are known."""

    def __init__(self, evaluator: "Evaluator", packages: dict[str, Package]) -> None:
        self.evaluator = evaluator
        self._known_packages = {**PACKAGES, **packages}
        self._frameworks = packages.keys()
        self._modules: dict[str, Module] = {}
        self._packages: dict[str, Value] = {}
        self._bodies: list[Any] = []
        """Nodes are known by their identity, so all are kept."""

    def load(self, path: str) -> Module | None:
        """None: there is no such file, or it cannot be read."""
        found = self._modules.get(path)
        if found is not None:
            return found
        evaluator = self.evaluator
        facts = evaluator.sources.facts(path)
        if facts is None:
            return None
        module = self._modules[path] = Module(path)
        body = facts["body"]
        self._bodies.append(body)
        module.has_esm_syntax = any(statement[0] in ("im", "ex", "ex*", "exd", "export") for statement in body)
        module.scope.names.update(self._names_of_node(module))
        with evaluator.budget.without_allowance(), evaluator.empty_stack():
            evaluator.block(body, module.scope)
        return module

    def _names_of_node(self, module: Module) -> dict[str, Value]:
        path = module.path
        folder = path.rpartition("/")[0]

        def require(call: Call) -> Value:
            name = call.value(0)
            return self.imported(path, name) if isinstance(name, str) else Unknown("require")

        return {
            "module": module.holder,
            "exports": module.exports,
            "__dirname": f"{ROOT}/{folder}".rstrip("/"),
            "__filename": f"{ROOT}/{path}",
            "require": NativeFunction(require, {"context": context(self.evaluator, path)}, "require"),
            "import.meta": Obj(
                {"url": f"file://{ROOT}/{path}", "dirname": f"{ROOT}/{folder}", "filename": f"{ROOT}/{path}"}
            ),
        }

    def imported(self, importer: str, name: str) -> Value:
        """What `require(name)` gives in the file `importer`."""
        path = self._resolve(importer, name)
        if path is None:
            return self._package(name)
        if path.endswith(".json"):
            return _from_json(self.evaluator.resolver.json(path))
        module = self.load(path)
        return Unknown(name) if module is None else module.value

    def imported_name(self, importer: str, module: str, name: str) -> Value:
        """What `import { name } from "module"` gives; `*` is the namespace, `=` what `require` gives."""
        evaluator = self.evaluator
        value = evaluator.force(self.imported(importer, module))
        if name in ("*", "="):
            return value
        if name == "default" and not self._is_esm(self._resolve(importer, module)):
            found = evaluator.member(value, "default") if isinstance(value, (Obj, NativeFunction)) else UNDEFINED
            return value if found is UNDEFINED or isinstance(found, Unknown) else found
        return evaluator.member(value, name)

    def imported_dynamically(self, importer: str, name: str) -> Value:
        """What `await import(name)` gives."""
        name = name.removeprefix("file://")
        value = self.imported(importer, name)
        path = self._resolve(importer, name)
        if path is None:
            return value if isinstance(value, Unknown) else Obj({"default": value}, parent=None)
        if self._is_esm(path):
            return value
        return Obj({**(value.props if isinstance(value, Obj) else {}), "default": value})

    def _resolve(self, importer: str, name: str) -> str | None:
        """A framework is never of the tree, though a package of the tree may bear its name."""
        return None if name in self._frameworks else self.evaluator.resolver.resolve(importer, name)

    def _is_esm(self, path: str | None) -> bool:
        module = None if path is None else self._modules.get(path)
        return module is not None and module.is_esm

    def _package(self, name: str) -> Value:
        name = name.removeprefix("node:")
        if name not in self._packages:
            make = self._known_packages.get(name)
            self._packages[name] = Unknown(name) if make is None else make(self.evaluator)
        return self._packages[name]


def _from_json(value: Any) -> Value:
    if isinstance(value, dict):
        return Obj({key: _from_json(each) for key, each in value.items()})
    if isinstance(value, list):
        return [_from_json(each) for each in value]
    return value


def import_statement(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    _, name, names = statement
    importer = scope.module.path
    if not names:
        evaluator.modules.imported(importer, name)
    for imported, local in names:
        scope.names[local] = Lazy(partial(evaluator.modules.imported_name, importer, name, imported), local)


def export_names(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """`export { a as b }`, with or without `from`."""
    _, source, names = statement
    module = scope.module
    for local, exported in names:
        if source is None:
            make: Callable[[], Value] = partial(evaluator.lookup, local, scope)
        else:
            make = partial(evaluator.modules.imported_name, module.path, source, local)
        module.exports.props[exported] = Lazy(make, local)


def export_all(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """`export * from`"""
    scope.module.exports.stars.append(
        Lazy(partial(evaluator.modules.imported, scope.module.path, statement[1]), statement[1])
    )


def export_declaration(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """`export const a = 1`, `export function f() {}`, `export class C {}`"""
    declaration = statement[1]
    evaluator.execute(declaration, scope)
    exports = scope.module.exports.props
    if declaration[0] in ("let", "var"):
        for pattern, _ in declaration[1]:
            for name in names_in(pattern):
                exports[name] = Lazy(partial(evaluator.lookup, name, scope), name)
    else:
        name = declaration[1][1]
        exports[name] = scope.names.get(name, UNDEFINED)


def export_value(evaluator: "Evaluator", statement: list[Any], scope: Scope) -> None:
    """`export default`, and `export =`"""
    value = evaluator.raw(statement[1], scope)
    if statement[2]:
        scope.module.holder.props["exports"] = value
    else:
        scope.module.exports.props["default"] = value
