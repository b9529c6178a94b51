"""A document being read: references, faults, and the budget of what its description may grow to."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import Fault, Json, SpecError, below
from backend.app.engine.spec.references import References

T = TypeVar("T")


class Document:
    """Typed access to a tree whose shape is not to be trusted: what has the wrong type is a fault, and absent.

    A `pointer` here is a place (see `references`): what it points at may stand in another document.
    """

    def __init__(
        self,
        root: dict[str, Json],
        limits: DocumentLimits,
        references: References | None = None,
        *,
        outlined: bool = False,
        faults: Iterable[Fault] = (),
    ) -> None:
        """`faults` are those that are known before."""
        self.root = root
        self.outlined = outlined
        """Parameters, bodies and answers are not there although they may be declared."""
        self.limits = limits
        self.references = references or References(root, limits)
        self.unresolved = 0
        """How often a reference could not be followed."""
        self._faults: list[Fault] = []
        self._fault_keys: set[tuple[str, str]] = set()
        self._faults_left_out = False
        self._shared: dict[tuple[str, str], tuple[Any, int]] = {}
        self._spent = 0
        self._add_faults(faults)

    def fault(self, pointer: str, message: str) -> None:
        key = (pointer, message)
        if key in self._fault_keys:
            return
        if len(self._faults) >= self.limits.faults:
            self._faults_left_out = True
            return
        self._fault_keys.add(key)
        self._faults.append(Fault(pointer, message))

    def faults(self) -> tuple[Fault, ...]:
        """In the order in which they were met; where there were more than the limit, the last one says so."""
        self._add_faults(self.references.faults)
        if not self._faults_left_out:
            return tuple(self._faults)
        return (*self._faults, Fault("", f"more than {self.limits.faults} faults; the others are left out"))

    def _add_faults(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.fault(fault.pointer, fault.message)

    def spend(self, nodes: int) -> None:
        """Raises `SpecError` when the description grows out of proportion, for instance by many path items that
        refer to one large one."""
        self._spent += nodes
        if self._spent > self.limits.expanded_nodes:
            raise SpecError(
                "spec.too_many_nodes",
                f"the operations hold more than {self.limits.expanded_nodes} values once references are followed",
            )

    def shared(self, kind: str, build: Callable[[dict[str, Json], str], T], node: dict[str, Json], pointer: str) -> T:
        """`build(node, pointer)`, once for each pointer; every use is spent from the budget."""
        if (kind, pointer) in self._shared:
            value, cost = self._shared[kind, pointer]
            self.spend(cost)
            return value  # type: ignore[no-any-return]
        before = self._spent
        self.spend(1)
        built = build(node, pointer)
        self._shared[kind, pointer] = built, self._spent - before
        return built

    def resolve(self, node: Json, pointer: str, *, bare: bool = False) -> tuple[Json, str] | None:
        """Follows `$ref` to its end and gives the value with its own pointer; `None`, and a fault, for a reference
        that is broken, circular or to a document that is not read. With `bare` it stops at a reference that has
        siblings."""
        found = self.references.resolve(node, pointer, bare=bare)
        if isinstance(found, str):
            self.unresolved += 1
            self.fault(pointer, found)
            return None
        return found

    # Typed access

    def resolved(self, node: Json, pointer: str) -> tuple[dict[str, Json], str] | None:
        """`resolve` for a place where an object must stand."""
        found = self.resolve(node, pointer)
        if found is None:
            return None
        value, at = found
        if not isinstance(value, dict):
            self.fault(at, "an object is expected here")
            return None
        return value, at

    def mapping(self, node: Mapping[str, Json], key: str, pointer: str) -> dict[str, Json]:
        value = node.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.fault(below(pointer, key), "an object is expected here")
        return {}

    def entries(
        self, node: Mapping[str, Json], key: str, pointer: str, *, extensions: bool = False
    ) -> Iterator[tuple[str, Json, str]]:
        """Name, value and pointer of each member of the object `node[key]`, `x-` ones with `extensions` only.

        The object may be in another document as a whole, which the standards do not say and authors expect.
        """
        members, at = self.mapping(node, key, pointer), below(pointer, key)
        groups = [(members, at)]
        if isinstance(members.get("$ref"), str):
            groups = [({name: value for name, value in members.items() if name != "$ref"}, at)]
            if found := self.resolved(members, at):
                beside = groups[0][0].keys()
                groups.append(({name: value for name, value in found[0].items() if name not in beside}, found[1]))
        for members, at in groups:
            for name, value in members.items():
                if extensions or not name.startswith("x-"):
                    yield name, value, below(at, name)

    def items(self, node: Mapping[str, Json], key: str, pointer: str) -> Iterator[tuple[Json, str]]:
        """Each element of the array `node[key]` and its pointer. The array may be in another document as a whole."""
        if node.get(key) is None:
            return
        found = self.resolve(node[key], below(pointer, key))
        if found is None:
            return
        value, at = found
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield item, below(at, index)
        elif value is not None:
            self.fault(at, "an array is expected here")

    def strings(self, node: Mapping[str, Json], key: str, pointer: str) -> tuple[str, ...]:
        found = []
        for item, at in self.items(node, key, pointer):
            if isinstance(item, str):
                found.append(item)
            else:
                self.fault(at, "a text is expected here")
        return tuple(dict.fromkeys(found))

    def text(self, node: Mapping[str, Json], key: str, pointer: str, longest: int = 200) -> str:
        """The first line of a text, cut; numbers as written (`version: 1.0`)."""
        value = node.get(key)
        if value is None:
            return ""
        if isinstance(value, bool | dict | list):
            self.fault(below(pointer, key), "a text is expected here")
            return ""
        line = str(value).strip().partition("\n")[0].strip()
        return line if len(line) <= longest else line[: longest - 1] + "…"

    def flag(self, node: Mapping[str, Json], key: str, pointer: str) -> bool:
        value = node.get(key)
        if value is not None and not isinstance(value, bool):
            self.fault(below(pointer, key), "true or false is expected here")
        return value is True

    def finite(self, value: Json, pointer: str) -> bool:
        """Whether JSON can write the value; `1e400` reads as infinity, which it cannot."""
        pending, nodes = [value], 0
        while pending:
            item = pending.pop()
            nodes += 1
            if isinstance(item, float) and not math.isfinite(item):
                self.fault(pointer, "a number beyond the range of a double is left out")
                return False
            if isinstance(item, dict):
                pending.extend(item.values())
            elif isinstance(item, list):
                pending.extend(item)
        self.spend(nodes)
        return True

    def web_link(self, node: Mapping[str, Json], pointer: str) -> None:
        """Faults an `externalDocs` that a browser would not open as a web page."""
        docs = self.mapping(node, "externalDocs", pointer)
        url = self.text(docs, "url", below(pointer, "externalDocs"))
        if url and scheme_of(url) not in ("", "http", "https"):
            self.fault(below(pointer, "externalDocs", "url"), "a link that is neither http nor https is left out")


def scheme_of(url: str) -> str:
    """The scheme in lower case, empty for a relative reference, `?` for what is no URL."""
    try:
        return urlsplit(url).scheme
    except ValueError:
        return "?"
