"""What the statements of a body bind, told from their facts alone."""

from collections import Counter
from typing import Any

from backend.app.modules.endpoints.discovery.source.languages.python.values import Module


class Bindings:
    """Of one body with the blocks in it, without the bodies of its functions and classes."""

    def __init__(self, body: list[list[Any]]) -> None:
        self.times: Counter[str] = Counter()
        """How often it binds or changes a name other than by imports."""
        self.imports: dict[str, tuple[str, int]] = {}
        """The module that an import names, and the dots before it."""
        self._read(body)

    @property
    def changing(self) -> frozenset[str]:
        return frozenset(name for name, times in self.times.items() if times > 1)

    def only(self, name: str) -> bool:
        """Whether one statement binds it."""
        return self.times[name] == 1 and name not in self.imports

    def _read(self, body: list[list[Any]]) -> None:
        for statement in body:
            match statement[0]:
                case "set" | "add":
                    self.times.update(_names_in(statement[1]))
                case "do" if statement[1][0] == "c":
                    self.times.update(_names_in(statement[1][1]))
                case "def" | "class":
                    self.times[statement[1]] += 1
                case "import":
                    top = statement[1].partition(".")[0]
                    self.imports[statement[2] or top] = (statement[1] if statement[2] else top, 0)
                case "from":
                    self.imports.update((alias or name, (statement[2], statement[1])) for name, alias in statement[3])
                case "for":
                    self.times.update(_names_in(statement[1]))
                    self._read(statement[3])
                case "if":
                    self._read(statement[2])
                    self._read(statement[3])
                case "with":
                    for _, target in statement[1]:
                        self.times.update(_names_in(target) if target is not None else ())
                    self._read(statement[2])
                case "try":
                    for inner in (statement[1], *statement[2], statement[3]):
                        self._read(inner)
                case "either":
                    for inner in statement[1]:
                        self._read(inner)


def bound_alone(statement: list[Any], module: Module) -> str:
    """The one name that a statement binds, if that is all it does, is some work, and comes to the same later on."""
    match statement:
        case ["set", ["n", name], [kind, *_] as value, *_] if kind not in ("s", "k"):
            is_function = kind == "n" and not value[1][:1].isupper()
            return "" if is_function or module.changes(value) else name
        case ["class", name, arguments, body, *_]:
            values = (inner[2] for inner in body if inner[0] == "set" and inner[2] is not None)
            return "" if any(map(module.changes, (*arguments, *values))) else name
        case ["def", name, _, _, [_, *_], *_]:
            return name  # type: ignore[no-any-return]
    return ""


def is_plain(node: list[Any]) -> bool:
    """Names, attributes and lists of them."""
    while node[0] == "a":
        node = node[1]
    return node[0] == "n" or (node[0] in ("l", "t") and all(map(is_plain, node[1])))


def decorator_names(statement: list[Any]) -> list[str]:
    """The names that the decorators of a function or class begin with; empty for what is no name."""
    names = []
    for decorator, _ in statement[4] if statement[0] in ("def", "class") else ():
        while decorator[0] in ("a", "c"):
            decorator = decorator[1]
        names.append(decorator[1] if decorator[0] == "n" else "")
    return names


def _names_in(target: list[Any]) -> list[str]:
    """Of what is assigned to, or changed: `a` of `a.b[0] = 1` and of `a.append(1)`."""
    while target[0] in ("a", "i", "*"):
        target = target[1]
    if target[0] in ("l", "t"):
        return [name for part in target[1] for name in _names_in(part)]
    return [target[1]] if target[0] == "n" else []
