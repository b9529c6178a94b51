"""Path templates learnt from the paths of one server.

A segment is a value by its form (`forms.kind_of`), or by its siblings, the literals that stand at the same position
below the same prefix. Those are values of a parameter when there are several, when they are no names (`me`, `search`,
`v1`, collections that items stand below), and when they behave alike: what stands below them and what they answer is
the same. How many it takes depends on how much they look like values. The order of the paths makes no difference, and
the template of a template is itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from backend.app.modules.endpoints.discovery.captures.forms import Kind, kind_of
from backend.app.modules.endpoints.discovery.captures.inference import MAP

Path: TypeAlias = tuple[str, ...]
"""Segments as they stand in the URL; one that is a parameter for certain is `{name}` or `{}`."""

VALUE = "{}"
"""A segment that is a value by its form."""

_RESERVED = frozenset(
    {
        "about", "account", "accounts", "activate", "active", "add", "admin", "all", "api", "archive", "auth",
        "autocomplete", "available", "batch", "bulk", "callback", "cancel", "check", "clear", "clone", "close",
        "complete", "config", "configuration", "confirm", "copy", "count", "create", "current", "dashboard", "data",
        "default", "delete", "details", "disable", "docs", "download", "draft", "edit", "enable", "events", "export",
        "favicon.ico", "feed", "filter", "find", "first", "get", "graphql", "health", "healthz", "help", "history",
        "home", "import", "index", "info", "init", "invite", "items", "last", "latest", "list", "live", "login",
        "logout", "lookup", "me", "metadata", "metrics", "mine", "new", "next", "oauth", "oauth2", "open", "password",
        "ping", "popular", "preview", "profile", "public", "publish", "query", "random", "ready", "recent", "redirect",
        "refresh", "register", "rename", "reset", "restore", "resume", "revoke", "rpc", "run", "save", "schema",
        "search", "self", "send", "session", "set", "settings", "sign-in", "sign-out", "sign-up", "signin", "signout",
        "signup", "start", "stats", "status", "stop", "submit", "subscribe", "suggest", "summary", "sync", "tags",
        "test", "token", "top", "total", "trending", "undo", "unsubscribe", "update", "upload", "validate", "verify",
        "version", "whoami",
    }
)  # fmt: skip
_DOES: Final = re.compile(
    r"(?:add|cancel|check|create|delete|disable|download|enable|export|find|get|import|list|remove|reset|run|search|send"
    r"|set|start|stop|update|upload|validate|verify)(?:[-_][a-z]|[A-Z])"
)
"""How a name begins that says what is done: `get-by-name`, `listAll`."""
_POINTING = frozenset(
    {
        "all", "count", "current", "filter", "first", "last", "latest", "me", "mine", "my", "new", "next", "previous",
        "search", "self", "whoami",
    }
)  # fmt: skip
"""Names of an item, or of several, that are nobody's: they answer as an item does, and are none."""
_VERSION = re.compile(r"v[0-9]+(?:[.-]?[a-z0-9]+)*|[0-9]{1,2}(?:\.[0-9]{1,2})?", re.I)
_GIVEN = re.compile(r"\{([^{}]*)\}")
_MOST_VERSIONS = 3
"""Of one API, where they are plain numbers."""
_VALUE_SIGN = re.compile(r"[0-9%.,@~+:]|[a-z][a-z0-9]*(?:-[a-z0-9]+){2,}|[^\x00-\x7f]")
_ACTION_SUFFIX = re.compile(r"(?P<value>[^:{}]+|\{[^{}]*\}):(?P<action>[a-zA-Z][a-zA-Z_]+)")
_FILE_NAME = re.compile(
    r"[A-Za-z_-]+\.(?:json|geojson|xml|html?|ya?ml|csv|txt|md|pdf|png|jpe?g|gif|svg|webp|js|css|ico|php|aspx?|jsp|do)",
    re.I,
)
"""A word with the extension of a format, which is a name as the word is."""
_NO_COLLECTIONS = frozenset(
    {"analytics", "details", "metrics", "options", "preferences", "settings", "statistics", "stats"}
)
"""Plurals below which parts of one thing have names, and no items."""
_ITEM_METHODS = frozenset({"PUT", "PATCH", "DELETE"})
_NOT_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_SAFE = "!$&'()*+,;=:@~-._"
"""Signs of a segment that need no encoding (RFC 3986, 3.3). Braces do: those of a path are no template."""
_MANY_ACTIONS = 8
"""Words that are only posted to name what is done, as long as there are fewer."""
_RICH = 3
"""Members of an answer from which on it is told from others by most of them; one with fewer by all of them."""


@dataclass(slots=True)
class Seen:
    """What is known of one path."""

    methods: set[str] = field(default_factory=set)
    answers: dict[str, set[str]] = field(default_factory=dict)
    """By method, the names of the members of what came back in JSON, `user.id` for nested ones: what tells two kinds of
    answers apart."""
    accepted: bool = True
    """Whether any request was answered as valid."""


class Names:
    """The literals of templates that others know: they are no values, whatever they look like."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known`: `/reports/daily`, `/users/{id}/posts`."""
        self._below: dict[Path, set[str]] = {}
        for path in known:
            place: Path = ()
            for segment in path.split("/")[1:]:
                if "{" not in segment:
                    self._below.setdefault(place, set()).add(segment)
                place = (*place, _place(segment))

    def below(self, place: Path) -> AbstractSet[str]:
        """`place` has `{}` in place of each value."""
        return self._below.get(place, frozenset())


NO_NAMES = Names()


def segments_of(path: str, names: Names = NO_NAMES) -> Path:
    """With values by form replaced by `{}`, and `{name}` kept."""
    marked: Path = ()
    place: Path = ()
    before = ""
    segments = path.split("/")[1:]
    for segment, after in zip(segments, [*segments[1:], ""], strict=True):
        is_name = segment in names.below(place) or _is_version(segment, before, after)
        marked = (*marked, segment if is_name else mark(segment))
        place = (*place, _place(marked[-1]))
        before = segment
    return marked


def _is_version(segment: str, before: str, after: str) -> bool:
    """`2` in `/rest/api/2/issue`, `1.1` in `/1.1/statuses`, `3` in `/3/movies/550`."""
    begins = not before and ("." in segment or (after[:1].isalpha() and kind_of(after) is None))
    return (before.lower() in ("api", "rest", "version") or begins) and _VERSION.fullmatch(segment) is not None


@lru_cache(maxsize=65_536)
def mark(segment: str) -> str:
    """`{}` for what is a value by its form; `{}:cancel` for one with an action behind it."""
    if "{" in segment and _GIVEN.fullmatch(segment) is not None:
        return segment
    text = unquote(segment)
    if (match := _ACTION_SUFFIX.fullmatch(text)) is not None:
        value = match["value"]
        if value.startswith("{") or kind_of(value) is not None:
            return f"{value if value.startswith('{') else VALUE}:{match['action']}"
    return quote(text, safe=_SAFE) if kind_of(text) in (None, Kind.FILE) else VALUE


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    answers: dict[str, set[str]] = field(default_factory=dict)
    accepted: bool = False
    values: set[str] = field(default_factory=set)
    """Literals that were learnt to be values here."""
    names: AbstractSet[str] = frozenset()
    """Literals that others know to be none."""

    def merge(self, other: "_Node") -> None:
        self.methods |= other.methods
        self.accepted |= other.accepted
        for method, names in other.answers.items():
            self.answers.setdefault(method, set()).update(names)
        for name, child in other.children.items():
            self.children.setdefault(name, _Node()).merge(child)

    def value(self) -> "_Node | None":
        return self.children.get(VALUE)

    def literals(self) -> list[str]:
        """Those that may be values."""
        return [name for name in self.children if not name.startswith("{") and name not in self.names]


class Templates:
    """`learn` makes them."""

    def __init__(self, root: _Node) -> None:
        self._root = root

    def of(self, path: Path) -> Path:
        """The path with `{}` in place of each value. Also of a path that was not learnt from."""
        node: _Node | None = self._root
        out = []
        for segment in path:
            if (
                segment
                and node is not None
                and (
                    segment in node.values
                    or (
                        VALUE in node.children
                        and segment not in node.children
                        and segment not in node.names
                        and not _is_kept(segment)
                    )
                )
            ):
                segment = VALUE
            out.append(segment)
            node = node.children.get(_place(segment)) if node is not None else None
        return tuple(out)


def learn(paths: Iterable[tuple[Path, Seen]], names: Names = NO_NAMES) -> Templates:
    root = _Node()
    for path, seen in paths:
        node = root
        # `/users/` is the place that `/users` is.
        for segment in path[:-1] if path[1:] and not path[-1] else path:
            node = node.children.setdefault(_place(segment), _Node())
        node.methods |= seen.methods
        node.accepted |= seen.accepted
        for method, members in seen.answers.items():
            node.answers.setdefault(method, set()).update(members)
    collections = _collections(root)
    _fold(root, collections, names)
    return Templates(root)


def _place(segment: str) -> str:
    """Which name a parameter was given makes no difference to where it stands."""
    return VALUE if _GIVEN.fullmatch(segment) is not None else segment


def _collections(root: _Node) -> Counter[str]:
    """How often a literal stands right before values by form: such a one names a collection."""
    found: Counter[str] = Counter()
    pending = [root]
    while pending:
        node = pending.pop()
        for name, child in node.children.items():
            pending.append(child)
            if child.value() is not None:
                found[name] += 1
    return found


def _fold(root: _Node, collections: Counter[str], names: Names) -> None:
    """Merges the literals that are values of a parameter, from the root down."""
    pending: list[tuple[_Node, Path]] = [(root, ())]
    while pending:
        node, place = pending.pop()
        node.names = names.below(place)
        # What is learnt of some tells more of the others.
        while values := _values_among(node, place[-1] if place else "", len(place), collections):
            for each in values:
                node.values.add(each)
                node.children.setdefault(VALUE, _Node()).merge(node.children.pop(each))
        pending += [(child, (*place, each)) for each, child in node.children.items()]


def _is_kept(segment: str) -> bool:
    """A name, or marked already."""
    return segment.startswith("{") or _is_reserved(segment) or _VERSION.fullmatch(segment) is not None


def _is_reserved(segment: str) -> bool:
    return segment.lower() in _RESERVED or _DOES.match(segment) is not None


def _values_among(node: _Node, parent: str, depth: int, collections: Counter[str]) -> list[str]:
    literals = node.literals()
    value = node.value()
    if depth == 0 and len(numbers := [each for each in literals if each.isdecimal()]) > _MOST_VERSIONS:
        return numbers
    open_to_doubt = [
        each
        for each in literals
        if each
        and ":" not in each
        and not _is_reserved(each)
        and (_VERSION.fullmatch(each) is None or (value is not None and _behaves_like(node.children[each], value)))
        and (
            not _is_collection(node, each, collections)
            or (value is not None and _answers_like(node.children[each], value))
        )
    ]
    if value is not None and open_to_doubt:
        alike = [each for each in open_to_doubt if _looks_like_value(each) or _behaves_like(node.children[each], value)]
        if alike:
            return alike
    if depth and (items := _items_among(node, parent, collections)):
        return items
    siblings = sum(not _is_reserved(each) for each in literals)
    return open_to_doubt if _enough(node, open_to_doubt, siblings, parent, depth) else []


def _items_among(node: _Node, parent: str, collections: Counter[str]) -> list[str]:
    """Those that are treated as items of a collection are, whatever stands beside them: they answer alike, and are
    replaced and deleted, or have the same below them; or they are replaced and deleted below a plural."""
    names = [
        each
        for each in node.literals()
        if each
        and ":" not in each
        and each.lower() not in _POINTING
        and _VERSION.fullmatch(each) is None
        and not _is_collection(node, each, collections)
    ]
    edited = {each for each in names if node.children[each].methods & _ITEM_METHODS}
    alike = [
        each
        for each in names
        if each in edited
        or (not _is_reserved(each) and not _is_plural(each) and _has_the_same_below(node, each, names))
    ]
    for one in alike:
        if sum(_answers_like(node.children[each], node.children[one]) for each in alike) > 1:
            return [each for each in names if _answers_like(node.children[each], node.children[one])]
    if (
        len(edited) > 1
        and _holds_items(parent)
        and not any(any(node.children[each].answers.values()) for each in edited)
    ):
        return sorted(edited)
    if _holds_items(parent):
        # Who deletes one of several things names it.
        return [each for each in sorted(edited) if "DELETE" in node.children[each].methods and not _is_kept(each)]
    return []


def _has_the_same_below(node: _Node, name: str, names: list[str]) -> bool:
    below = node.children[name].children.keys()
    return bool(below) and any(each != name and below == node.children[each].children.keys() for each in names)


def _enough(node: _Node, names: list[str], siblings: int, parent: str, depth: int) -> bool:
    """Whether these literals are values of one parameter."""
    count = len(names)
    if count < 2:
        return False
    valueish = sum(map(_looks_like_value, names)) / count
    if count < _MANY_ACTIONS and valueish < 0.5 and all(node.children[each].methods == {"POST"} for each in names):
        return False
    below_plural = _holds_items(parent)
    alike = _share_alike([node.children[each] for each in names])
    if alike is not None:
        if alike < 0.6 * siblings / count or (depth == 0 and alike * count < 8):
            return count >= 50 and valueish >= 0.8
        return count >= 3 or valueish >= 0.5 or below_plural
    if _same_below([node.children[each] for each in names]) and depth > 0:
        return count >= 3 or below_plural
    if depth == 0 and valueish < 0.8:
        return count >= 100
    return count >= (3 if valueish >= 0.5 and below_plural else 5 if valueish >= 0.5 else 12 if below_plural else 25)


def _is_collection(node: _Node, name: str, collections: Counter[str]) -> bool:
    """Whether the literal names what items stand below: it is a plural, or answers itself."""
    child = node.children[name]
    if child.value() is None:
        return collections[name] > 0 and _is_plural(name)
    return not _looks_like_value(name) and (_is_plural(name) or bool(child.methods))


def _answers_like(node: _Node, other: _Node) -> bool:
    return any(_close(names, other.answers.get(method, set())) for method, names in node.answers.items())


def _behaves_like(node: _Node, value: _Node) -> bool:
    if _answers_like(node, value):
        return True
    if node.methods and not node.accepted and not node.children:
        return node.methods <= value.methods  # an item that is not there, or is not for everybody
    below = set(node.literals())
    return bool(below) and below <= value.children.keys()


def _share_alike(nodes: list[_Node]) -> float | None:
    """The share of the nodes that answer, or have below them what answers, as the most frequent kind among them does;
    None when too few answers are known to tell."""
    kinds: list[tuple[tuple[int, str], frozenset[str], int]] = []
    for index, node in enumerate(nodes):
        for depth, each in _upper(node):
            kinds += [
                ((depth, method), frozenset(names), index)
                for method, names in each.answers.items()
                if len(names) > 1 or (len(nodes) > 2 and _tells(names))
            ]
    known = {index for _, _, index in kinds}
    if len(known) < 2 or len(known) * 2 < len(nodes):
        return None
    best = 0
    by_place: dict[tuple[int, str], list[tuple[frozenset[str], int]]] = {}
    for place, names, index in kinds:
        by_place.setdefault(place, []).append((names, index))
    for members in by_place.values():
        counts = Counter(names for names, _ in members)
        for typical, _ in sorted(counts.items(), key=lambda item: (-item[1], sorted(item[0])))[:3]:
            best = max(best, len({index for names, index in members if _close(names, typical)}))
    return best / len(nodes)


def _upper(node: _Node) -> Iterator[tuple[int, _Node]]:
    """The node, its children and theirs."""
    yield 0, node
    for child in node.children.values():
        yield 1, child
        for grandchild in child.children.values():
            yield 2, grandchild


def _same_below(nodes: list[_Node]) -> bool:
    """Whether most have a literal below them that others have as well."""
    having: Counter[str] = Counter(name for node in nodes for name in node.literals())
    return bool(having) and max(having.values()) >= max(2, 0.6 * len(nodes))


def _tells(names: AbstractSet[str]) -> bool:
    """Whether the names of members tell one kind of answers from others."""
    return len(names) > 1 or any(each.endswith(MAP) for each in names)


def _close(one: AbstractSet[str], other: AbstractSet[str]) -> bool:
    if min(len(one), len(other)) < _RICH:
        return _tells(one) and one == other
    return len(one & other) >= 0.7 * len(one | other)


def _looks_like_value(segment: str) -> bool:
    return _VALUE_SIGN.search(segment) is not None and _FILE_NAME.fullmatch(segment) is None


def _is_plural(name: str) -> bool:
    return len(name) > 2 and name[-1:] in "sS" and name[-2:].lower() not in ("ss", "us", "is")


def _holds_items(name: str) -> bool:
    return _is_plural(name) and name.lower() not in _NO_COLLECTIONS


def named(path: Path, kinds: Mapping[int, Kind | None], given: Mapping[int, str]) -> Path:
    """The template with its parameters named: as they were given by position, else after the segment before."""
    out: list[str] = []
    taken: set[str] = set()
    for index, segment in enumerate(path):
        match = re.match(r"\{([^{}]*)\}", segment)
        if match is None:
            out.append(segment)
            continue
        name = match[1] or given.get(index) or _name_after(path[index - 1] if index else "", kinds.get(index))
        base, number = name, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        taken.add(name)
        out.append(f"{{{name}}}{segment[match.end() :]}")
    return tuple(out)


def _name_after(parent: str, kind: Kind | None) -> str:
    if kind in (Kind.DATE, Kind.EMAIL):
        return kind.value
    word = _NOT_NAMES.sub("_", unquote(parent)).strip("_") if not parent.startswith("{") else ""
    if not word or _VERSION.fullmatch(word) or word.lower() == "api" or word[0].isdigit():
        return "file_name" if kind is Kind.FILE else "id"
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    return f"{_singular(word)}_{'name' if kind is Kind.FILE else 'id'}"


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4 and not word.endswith(("movies", "cookies", "calories")):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "nches", "rches", "tches", "tuses", "xes")):
        return word[:-2]
    return word[:-1] if _is_plural(word) else word
