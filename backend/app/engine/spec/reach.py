"""Which shared definitions a part of an API description leads to."""

from collections.abc import Mapping

from backend.app.engine.spec.model import Json, Schema

PREFIX = "#/$defs/"


class Reach:
    """Follows `$ref` through `definitions`; each definition is looked through once."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._direct: dict[str, frozenset[str]] = {}
        self._closed: dict[frozenset[str], frozenset[str]] = {}

    def names(self, value: Json) -> frozenset[str]:
        """The definitions that `value` (a schema, or JSON that holds schemas) reaches, directly or through others."""
        start = self._references(value)
        if start not in self._closed:
            seen: set[str] = set()
            pending = list(start)
            while pending:
                name = pending.pop()
                if name not in seen:
                    seen.add(name)
                    pending += self._references_of(name)
            self._closed[start] = frozenset(seen)
        return self._closed[start]

    def _references_of(self, name: str) -> frozenset[str]:
        if name not in self._direct:
            self._direct[name] = self._references(self._definitions[name])
        return self._direct[name]

    def _references(self, value: Json) -> frozenset[str]:
        found: set[str] = set()
        pending = [value]
        while pending:
            node = pending.pop()
            if isinstance(node, Mapping):
                if isinstance(target := node.get("$ref"), str) and target.startswith(PREFIX):
                    found.add(target.removeprefix(PREFIX))
                pending += node.values()
            elif isinstance(node, list | tuple):
                pending += node
        return frozenset(found & self._definitions.keys())
