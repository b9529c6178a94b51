"""The documents of one description, and what the references in them name.

A *place* is a JSON pointer (RFC 6901) into the root document (`/paths/~1users`), or the name of another document, `#`
and a pointer into that one (`models/user.yaml#/properties/id`). Both grow by `below`.

Sources: RFC 3986, 5; OpenAPI 3.2.0, "Relative References in API Description URIs" and Appendix F; JSON Schema 2020-12,
8.2. Documents in the field take `$id` for a mere name and refer past it, or have a `$self` that they are not at: what
is not found where the standards say is looked for relative to where the document was read from.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote, unquote, urljoin

from backend.app.engine.spec.limits import DocumentLimits
from backend.app.engine.spec.model import Fault, Json, SpecError, below
from backend.app.engine.spec.parse import parse_document

Load: TypeAlias = Callable[[str], bytes]
"""The document at an absolute URI. Raises `NotLoaded`."""
Found: TypeAlias = tuple[Json, str]
"""A value and its place."""

_IDENTIFIERS = frozenset({"$id", "$anchor", "$dynamicAnchor"})
_DATA = frozenset({"example", "examples", "default", "const", "enum", "value", "dataValue"})
"""What stands below these is no schema."""
_MOST_AT_ONCE = 50
"""References that lead through references."""
_URI_SAFE = ":/?#[]@!$&'()*+,;=%~"


class NotLoaded(Exception):
    """Why a document is not handed out, as a clause: `it is on another server`."""


@dataclass(slots=True)
class _Resource:
    """A document, or a schema in one that has a URI of its own."""

    root: Json
    place: str
    bases: tuple[str, ...]
    """What references in it are relative to, the right one first."""
    around: "_Resource | None" = None
    anchors: dict[str, Found] = field(default_factory=dict)

    def enclosing(self) -> Iterator["_Resource"]:
        """Itself and what it stands in, from the inside."""
        resource: _Resource | None = self
        while resource is not None:
            yield resource
            resource = resource.around


class References:
    def __init__(
        self, root: Json, limits: DocumentLimits, where: str = "", load: Load | None = None, *, identified: bool = False
    ) -> None:
        """`where` is the URI of the root document, empty when it has none; `identified` means that schemas may have
        URIs and anchors (OpenAPI 3.1)."""
        self._limits = limits
        self._where = where
        self._load = load
        self._identified = identified
        self._resources: dict[str, _Resource] = {}
        """By URI."""
        self.faults: list[Fault] = []
        """Of the text of documents that were loaded."""
        self._refused: dict[str, str] = {}
        self._documents: dict[str, _Resource] = {}
        """By what their places begin with."""
        self._embedded: dict[str, _Resource] = {}
        """By place."""
        self._resolved: dict[tuple[int, str, bool], Found | str] = {}
        self._under_way: set[tuple[int, str]] = set()
        self._add("", root, where)

    def resolve(self, node: Json, place: str, *, bare: bool = False) -> Found | str:
        """Follows `$ref` to its end; a text says why that cannot be done. With `bare` it stops at a reference that has
        siblings."""
        trail: list[tuple[int, str, bool]] = []
        seen: set[tuple[int, str, bool]] = set()
        result: Found | str = (node, place)
        while isinstance(node, dict) and isinstance(ref := node.get("$ref"), str) and not (bare and len(node) > 1):
            scope = self._scope(place)
            key = (id(scope), ref, bare)
            if key in self._resolved:
                result = self._resolved[key]
                break
            if key in seen:
                result = f"circular reference {ref[:200]!r}"
                break
            seen.add(key)
            trail.append(key)
            result = self._find(ref, scope)
            if isinstance(result, str):
                break
            node, place = result
        for key in trail:
            self._resolved[key] = result
        return result

    def find(self, ref: str, place: str) -> Found | str:
        """What the reference `ref` at `place` names; no reference there is followed."""
        return self._find(ref, self._scope(place))

    def _scope(self, place: str) -> _Resource:
        name, pointer = ("", place) if place[:1] in ("", "/") else place.split("#", 1)
        document = self._documents[name]
        if self._embedded:
            start = document.place
            while pointer:
                if start + pointer in self._embedded:
                    return self._embedded[start + pointer]
                pointer = pointer.rpartition("/")[0]
        return document

    def _find(self, ref: str, scope: _Resource) -> Found | str:
        key = (id(scope), ref)
        if key in self._under_way or len(self._under_way) >= _MOST_AT_ONCE:
            return f"circular reference {ref[:200]!r}"
        self._under_way.add(key)
        try:
            uri, _, fragment = ref.partition("#")
            if uri:
                target = self._resource(uri, scope)
                if isinstance(target, str):
                    return f"external reference to {uri[:200]!r} is not read{target and f': {target}'}"
                scope = target
            path = unquote(fragment)
            for resource in scope.enclosing():
                found = self._walk(path, resource) if path[:1] in ("", "/") else resource.anchors.get(path)
                if found is not None:
                    return found
            return f"the reference {ref[:200]!r} names nothing"
        finally:
            self._under_way.remove(key)

    def _walk(self, path: str, resource: _Resource) -> Found | None:
        """A reference on the way is followed, which the standards do not say and authors of split documents expect."""
        node, place = resource.root, resource.place
        for name in (name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]):
            if isinstance(node, dict) and name not in node and "$ref" in node:
                target = self.resolve(node, place)
                if isinstance(target, str):
                    return None
                node, place = target
            if isinstance(node, dict) and name in node:
                node = node[name]
            elif isinstance(node, list) and name.isdecimal() and len(name) < 8 and int(name) < len(node):
                node = node[int(name)]
            else:
                return None
            place = below(place, name)
        return node, place

    def _resource(self, uri: str, scope: _Resource) -> _Resource | str:
        """What stands at `uri`, relative to each of the bases of `scope`, or why it is not known."""
        try:
            addresses = list(dict.fromkeys(quote(urljoin(base, uri), safe=_URI_SAFE) for base in scope.bases))
        except ValueError:
            return "it is no URI"
        for address in addresses:
            if address in self._resources:
                return self._resources[address]
        for address in addresses:
            if address not in self._refused:
                found = self._loaded(address)
                if isinstance(found, _Resource):
                    return found
                self._refused[address] = found
        return self._refused[addresses[-1]]

    def _loaded(self, address: str) -> _Resource | str:
        if self._load is None:
            return ""
        faults: list[Fault] = []
        try:
            root = parse_document(self._load(address), self._limits, faults=faults)
        except NotLoaded as reason:
            return str(reason)
        except SpecError as error:
            return str(error)
        document = self._add(self._name(address), root, address)
        self.faults += (Fault(document.place + fault.pointer, fault.message) for fault in faults)
        return document

    def _name(self, address: str) -> str:
        """Short for what stands below the folder of the root document."""
        folder = self._where[: self._where.rfind("/") + 1]
        name = address.removeprefix(folder) or address
        return f".{name}" if name.startswith("/") else name

    def _add(self, name: str, root: Json, where: str) -> _Resource:
        bases: tuple[str, ...] = (where,)
        if isinstance(root, dict) and "openapi" in root and isinstance(own := root.get("$self"), str):
            bases = (_joined(where, own), where)
        document = _Resource(root, name and f"{name}#", tuple(dict.fromkeys(bases)))
        self._documents[name] = document
        for base in document.bases:
            self._resources.setdefault(base, document)
        if self._identified and _has_identifiers(root):
            self._identify(document)
        return document

    def _identify(self, document: _Resource) -> None:
        pending: list[tuple[Json, str, _Resource]] = [(document.root, document.place, document)]
        while pending:
            node, place, scope = pending.pop()
            if isinstance(node, dict):
                if isinstance(own := node.get("$id"), str):
                    bases = tuple(dict.fromkeys([_joined(scope.bases[0], own.partition("#")[0]), *scope.bases]))
                    if node is document.root:
                        document.bases = bases
                    else:
                        scope = self._embedded[place] = _Resource(node, place, bases, scope)
                    self._resources.setdefault(bases[0], scope)
                for key in ("$anchor", "$dynamicAnchor"):
                    if isinstance(anchor := node.get(key), str):
                        scope.anchors.setdefault(anchor, (node, place))
                pending += [
                    (value, below(place, key), scope)
                    for key, value in node.items()
                    if key not in _DATA and isinstance(value, dict | list)
                ]
            elif isinstance(node, list):
                pending += [(value, below(place, index), scope) for index, value in enumerate(node)]


def _joined(base: str, uri: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError:
        return base


def _has_identifiers(root: Json) -> bool:
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if not _IDENTIFIERS.isdisjoint(node):
                return True
            pending += [value for value in node.values() if isinstance(value, dict | list)]
        else:
            pending += [value for value in node if isinstance(value, dict | list)]
    return False
