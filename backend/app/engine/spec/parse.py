"""Bytes to a plain tree of `dict`, `list`, `str`, `int`, `float`, `bool` and `None`, within limits.

JSON is read as RFC 8259, and of members of one name the last counts, as most readers have it (RFC 8259, 4); YAML as the
YAML 1.2 core schema, so that `NO` and `16:9` stay text, plus the merge key `<<` that API descriptions in the field use;
its keys are unique (YAML 1.2.2, 3.2.1.1), and always text, as written (`200` is `"200"`).
Limits are counted before anything large is built: libyaml's own composer dies of a signal at some 25,000 levels.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from typing import Any, NoReturn

import orjson
import yaml
from yaml._yaml import CParser

from backend.app.engine.spec.limits import DEFAULT_LIMITS, DocumentLimits, refuse_too_large
from backend.app.engine.spec.model import Fault, Json, SpecError, below
from backend.app.engine.spec.outline import outline, outline_of_yaml

_LONGEST_BY_HAND = 1 << 20
"""Characters of what a person may have typed; what is longer was generated, and is not read twice."""
_MAX_DIRECTIVES = 100
_MAX_OVERRIDDEN = 50
"""Members that are told of, those first that may hold most."""
_SHOWN = 10
"""Names in an overridden member."""
_MOST_OF_A_LIST = 100_000
"""Values of a document that is a list, and refused whatever follows."""


def parse_document(
    data: bytes, limits: DocumentLimits = DEFAULT_LIMITS, *, outlined: bool = False, faults: list[Fault] | None = None
) -> dict[str, Json]:
    """The document's top-level mapping. Integers outside 64 bits become floats (RFC 8259, 6).

    `outlined` gives the `outline` of a description, and may leave out what is wrong with the rest. To `faults` are
    added the members of JSON objects that others of the same name override, with their pointers and lines.

    Raises `SpecError`: `spec.too_large`, `.not_utf8`, `.empty`, `.not_json_or_yaml`, `.syntax`, `.not_a_mapping`,
    `.too_deep`, `.too_many_nodes`, `.too_many_aliases`, `.alias_cycle`, `.duplicate_key`, `.bad_key`, `.bad_tag`,
    `.bad_number`, `.bad_text`, `.several_documents`.
    """
    refuse_too_large(data, limits)
    text = _decode(data)
    start = text.lstrip()[:1]
    line = f"line {text.count(chr(10), 0, text.find(start)) + 1}"
    if not start:
        raise SpecError("spec.empty", "the document is empty")
    if start == "<":
        raise SpecError("spec.not_json_or_yaml", "the document is HTML or XML, neither JSON nor YAML", line)
    if is_graphql_sdl(text):
        raise SpecError("spec.not_json_or_yaml", f"the document is {GRAPHQL_SDL}", line)
    if start in "{[":
        try:
            document = _parse_json(text, limits, [] if faults is None else faults)
        except json.JSONDecodeError as error:
            document = _parse_flow(text, error, limits)
    else:
        document = _outlined_yaml(text, limits) if outlined else None
        if document is None:
            document = _compose_yaml(text, limits)
    if not isinstance(document, dict):
        raise SpecError("spec.not_a_mapping", "the document is not a mapping of names to values at its top level", line)
    return outline(document) if outlined else document


_SDL = re.compile(
    r'(?:[\s,]++|\#[^\n]*+|"""(?:[^"]|"(?!""))*+"""|"(?!"")[^"\n]*+")*+'
    r"(?:extend\s+)?(?:schema\s*[{@]|directive\s*@|(?:type|interface|input|enum|union|scalar)\s+[_A-Za-z]\w*+(?!\s*:))"
)
"""How a type system document begins (GraphQL, October 2021, 3): comments and descriptions, then a definition."""
GRAPHQL_SDL = (
    "a GraphQL schema in its definition language (SDL): hand in the answer to an introspection query as JSON, or name"
    " the URL of the server"
)


def is_graphql_sdl(text: str) -> bool:
    return _SDL.match(text) is not None


def _outlined_yaml(text: str, limits: DocumentLimits) -> Json:
    """`None` where only the whole text tells what is there, or what is wrong and in which line."""
    shorter = outline_of_yaml(text)
    try:
        return None if shorter is None else _compose_yaml(shorter, limits)
    except SpecError:
        return None


def _parse_flow(text: str, error: json.JSONDecodeError, limits: DocumentLimits) -> Json:
    """Flow-style YAML begins like JSON, and hand-written "JSON" with trailing commas is valid YAML."""
    refusal = SpecError("spec.syntax", f"not JSON: {error.msg}", _place(error.lineno, error.colno))
    if len(text) > _LONGEST_BY_HAND:
        raise refusal
    try:
        return _compose_yaml(text, limits)
    except SpecError as yaml_error:
        if yaml_error.code != "spec.syntax":
            raise
        raise refusal from None


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise SpecError("spec.not_utf8", "the document is UTF-16 or UTF-32; only UTF-8 is read", "line 1")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError("spec.not_utf8", f"byte {error.start} is not UTF-8", f"line {line}") from None


def _place(line: int, column: int) -> str:
    return f"line {line}, column {column}"


def _place_of(offset: int, text: str) -> str:
    return _place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


# U+0000, and halves of surrogate pairs. A backslash that is itself escaped hides which half belongs to what.
_SUSPICIOUS_ESCAPE = re.compile(
    r"\\u0000|\\\\u[dD][89a-fA-F]"
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_JSON_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_SPACED_COLON = re.compile(r'"[ \t\r\n]+:')
_decode_text = json.JSONDecoder(strict=False).decode
_JSON_MEMBER = re.compile(rf"{_JSON_TEXT.pattern}\s*+:\s*+({_JSON_TEXT.pattern}|[^\s,\[\]{{}}]++|{{\s*+}})", re.DOTALL)
_JSON_TOKEN = re.compile(rf"{_JSON_TEXT.pattern}|[{{}}\[\],:]", re.DOTALL)


def _parse_json(text: str, limits: DocumentLimits, faults: list[Fault]) -> Json:
    """Raises `json.JSONDecodeError` for plain syntax errors."""
    overridden = False
    # Commas in texts make the first count too high, never too low.
    if _values(text) > limits.nodes and _values(_JSON_TEXT.sub("", text)) > limits.nodes:
        _refuse_json(text, limits)
    if "\\u" in text and _SUSPICIOUS_ESCAPE.search(text):
        _refuse_json(text, limits)

    def integer(token: str) -> int | float:
        if len(token) > limits.digits:
            line = text.count("\n", 0, text.find(token)) + 1
            raise SpecError("spec.bad_number", f"a number of {len(token)} digits", f"line {line}")
        return _narrow(int(token))

    def mapping(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal overridden
        members = dict(pairs)
        overridden |= len(members) != len(pairs)
        return members

    def constant(token: str) -> NoReturn:
        match = re.search(rf"[:,\[\s]({re.escape(token)})", text)
        line = text.count("\n", 0, match.start(1)) + 1 if match else 1
        raise SpecError("spec.bad_number", f"{token} is no JSON number", f"line {line}")

    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        document = None
    # Of a name that stands twice orjson keeps one, so that fewer are left than there are quotes before colons; texts
    # that hold such can only make these more.
    if document is None or text.count('":') != _names(document, text, limits) or _SPACED_COLON.search(text):
        try:
            document = json.loads(text, object_pairs_hook=mapping, parse_int=integer, parse_constant=constant)
        except RecursionError as error:
            _refuse_json(text, limits)
            raise AssertionError("the scan of the tokens saw no fault") from error
        _names(document, text, limits)
    if overridden:
        faults += _overridden(text, limits)
    return document


def _names(document: Json, text: str, limits: DocumentLimits) -> int:
    """How many names all objects have together. Raises `SpecError` for too many levels."""
    level, depth, names = [document], 0, 0
    while level:
        depth += 1
        if depth > limits.depth:
            _refuse_json(text, limits)
        names += sum(len(node) for node in level if type(node) is dict)
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return names


def _values(text: str) -> int:
    return 1 + text.count(",") + text.count("[") + text.count("{")


def _narrow(value: int) -> int | float:
    return value if -(2**63) <= value < 2**64 else float(value) if abs(value) < 10**308 else float("inf")


@dataclass(slots=True)
class _Scope:
    """An object or an array whose end has not come yet."""

    is_object: bool
    current: str | int = 0
    """The name or the index of the value that is being read."""
    names: dict[str, int] = field(default_factory=dict)
    """Where each stands that was met, the last time."""
    held: dict[str, list[str]] = field(default_factory=dict)
    """The names in those values that are objects."""


@dataclass(frozen=True, slots=True)
class _Overridden:
    """A member that a later one of the same name takes the place of."""

    path: tuple[str | int, ...]
    at: int
    """Where the name of the later one stands."""
    before: int
    """And of this one."""
    names: list[str]
    """What it holds, where that is an object."""


def _overridden(text: str, limits: DocumentLimits) -> list[Fault]:
    """In the order of the document."""

    def fault(it: _Overridden) -> Fault:
        held = _listed(it.names) or _literal(text, it.before)
        places = f"{_place_of(it.at, text)} overrides {_place_of(it.before, text)}"
        message = f"the name {str(it.path[-1])[:80]!r} stands twice in one object: {places}, which held {held}"
        return Fault(below("", *it.path), message)

    # Operations stand nearer to the root than what they are made of.
    found = nsmallest(_MAX_OVERRIDDEN + 1, _scan_json(text, limits), key=lambda it: len(it.path))
    faults = [fault(it) for it in sorted(found[:_MAX_OVERRIDDEN], key=lambda it: it.at)]
    if len(found) > _MAX_OVERRIDDEN:
        told = f"more than {_MAX_OVERRIDDEN} names stand twice in one object; those deeper down are not told"
        faults.append(Fault("", told))
    return faults


def _refuse_json(text: str, limits: DocumentLimits) -> None:
    """Raises the `SpecError` of the first limit that is passed, with its place."""
    for _ in _scan_json(text, limits):
        pass


def _scan_json(text: str, limits: DocumentLimits) -> Iterator[_Overridden]:
    """Goes over the tokens; raises as `_refuse_json` does. Slower than the parser, hence only for documents of which
    there is something to be told."""

    def refuse(code: str, message: str, offset: int) -> NoReturn:
        raise SpecError(code, message, _place_of(offset, text))

    scopes: list[_Scope] = []
    nodes, key_next = 1, False
    for match in _JSON_TOKEN.finditer(text):
        lexeme, at = match.group(), match.start()
        if lexeme[0] == '"':
            scope = scopes[-1] if key_next else None
            if not lexeme.endswith('"', 1) or (scope is None and not _SUSPICIOUS_ESCAPE.search(lexeme)):
                continue
            value = lexeme[1:-1]
            if "\\" in lexeme:
                try:
                    value = _decode_text(lexeme)
                except ValueError:
                    continue
                if problem := _bad_text(value):
                    refuse("spec.bad_text", problem, at)
            if scope is not None:
                held = scope.held.pop(value, [])
                if value in scope.names:
                    path = *(outer.current for outer in scopes[:-1]), value
                    yield _Overridden(path, at, scope.names[value], held)
                scope.current, scope.names[value] = value, at
        elif lexeme in "{[":
            nodes += 1
            key_next = lexeme == "{"
            scopes.append(_Scope(key_next))
            if len(scopes) > limits.depth:
                refuse("spec.too_deep", f"more than {limits.depth} levels of nesting", at)
        elif lexeme in "}]":
            closed = scopes.pop() if scopes else None
            if closed and scopes and isinstance(scopes[-1].current, str):
                scopes[-1].held[scopes[-1].current] = list(closed.names)
            key_next = False
        elif lexeme == ",":
            nodes += 1
            key_next = bool(scopes) and scopes[-1].is_object
            if scopes and isinstance(scopes[-1].current, int):
                scopes[-1].current += 1
        else:
            key_next = False
        if nodes > limits.nodes:
            refuse("spec.too_many_nodes", f"more than {limits.nodes} values", at)


def _listed(names: list[str]) -> str:
    listed = ", ".join(repr(name[:80]) for name in names[:_SHOWN])
    return f"{listed} and {len(names) - _SHOWN} others" if len(names) > _SHOWN else listed


def _literal(text: str, at: int) -> str:
    """The value of the member at `at` as it is written, cut; of an array only that it is one."""
    match = _JSON_MEMBER.match(text, at)
    return match[1][:80] if match else "a list"


def _bad_text(value: str) -> str | None:
    if "\0" in value:
        return "a text holds the character U+0000"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "a text holds half of a surrogate pair"
    return None


# YAML 1.2.2, 10.3.2: tag resolution of the core schema.
_PLAIN = re.compile(
    r"(?P<null>null|Null|NULL|~|)"
    r"|(?P<true>true|True|TRUE)|(?P<false>false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+)|(?P<oct>0o[0-7]+)|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<special>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_PLAIN_START = frozenset("nN~tTfF+-.0123456789")
# Literal first, so that the search is fast. libyaml breaks lines at all of these (YAML 1.1, 4.2).
_TAG_DIRECTIVE = re.compile("%TAG(?:(?<=[\r\n\x85\u2028\u2029]%TAG)|(?<=\\A%TAG))")
_MERGE = "\0<<"
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {f"{_TAG}{name}": name for name in ("int", "float", "bool", "null")}
_KINDS = {"true": "bool", "false": "bool", "oct": "int", "hex": "int", "special": "float"}


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not come yet."""

    container: dict[str, Json] | list[Json]
    anchor: str | None
    nodes_before: int
    start: yaml.Mark
    height: int = 1
    key: str | None = None
    merged: tuple[dict[str, Json], ...] = ()


# What YAML 1.2 reads as any other character (5.1, 5.4), and YAML 1.1 refuses or takes for a line break.
_STRANGE = re.compile("[\x7f-\x9f\ufffe\uffff\u2028\u2029]")
_STAND_IN = 0xF0000
_STAND_INS = {_STAND_IN + code: code for code in (*range(0x7F, 0xA0), 0xFFFE, 0xFFFF, 0x2028, 0x2029)}
_IS_STAND_IN = re.compile(f"[{''.join(map(chr, _STAND_INS))}]")
_FIRST_BYTE = chr(_STAND_IN).encode()[:1]
_TAB_FIRST = re.compile(
    r"^((?: |- )*+)([^\n]*?(?<=[ \t]))?([|>])([-+]?[ \t]*+\r?\n(?: *+\r?\n)*+)( ++)(?=\t)", re.MULTILINE
)
_MAX_REPAIRS = 20


def _compose_yaml(text: str, limits: DocumentLimits) -> Json:
    """YAML 1.2 by a parser of YAML 1.1: it sees characters of a private area for those that it reads otherwise, and is
    helped over tabs that it takes for indentation."""
    seen = text
    if (not text.isascii() or "\x7f" in text) and not _has_stand_in(text):
        seen = _STRANGE.sub(lambda match: chr(_STAND_IN + ord(match[0])), text)
    repairs = 0
    while True:
        try:
            return _YamlComposer(limits, restore=seen is not text).compose(seen)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            repaired = _repaired(seen, mark.index) if mark and repairs < _MAX_REPAIRS else seen
            if repaired == seen or _has_stand_in(text):
                place = _place(mark.line + 1, mark.column + 1) if mark else ""
                raise SpecError("spec.syntax", f"not YAML: {error.problem or error.context}", place) from None
            seen, repairs = repaired, repairs + 1
        except yaml.YAMLError as error:
            raise SpecError("spec.syntax", f"not YAML: {error}".splitlines()[0]) from None


def _has_stand_in(text: str) -> bool:
    # Few texts have the byte that all of them begin with in UTF-8, and looking for it costs a hundredth.
    return _FIRST_BYTE in text.encode() and _IS_STAND_IN.search(text) is not None


def _repaired(text: str, at: int) -> str:
    """Without the tab at which reading ended, where YAML 1.2 allows it: at the start of a block scalar (8.1.1.1), in a
    line that is blank but for a comment (6.6), behind the dash of an item (6.2)."""
    repaired = _TAB_FIRST.sub(_with_indentation, text)
    if repaired != text or text[at : at + 1] != "\t" or len(text) > _LONGEST_BY_HAND:
        return repaired
    start, end = text.rfind("\n", 0, at) + 1, (text + "\n").index("\n", at)
    line = text[start:end].strip()
    if not line or line.startswith("#"):
        return text[:start] + text[end:]
    return f"{text[:at]} {text[at + 1 :]}" if text[at - 1] == "-" else text


def _with_indentation(match: re.Match[str]) -> str:
    """The block scalar with the indicator (8.1.1.1) of the indentation that its first line has."""
    lead, key, style, rest, spaces = match.groups(default="")
    indentation = len(spaces) - (len(lead) if key else lead.rfind("-"))
    return f"{lead}{key}{style}{indentation}{rest}{spaces}" if 0 < indentation < 10 else match[0]


class _YamlComposer:
    """Builds the tree from libyaml's parse events, iteratively, counting as it goes."""

    def __init__(self, limits: DocumentLimits, *, restore: bool) -> None:
        """`restore` puts the characters that others stand for back into scalars."""
        self._limits = limits
        self._restore = restore
        self._most_nodes = limits.nodes
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Json, int, int]] = {}  # value, nodes, height
        self._open_anchors: set[str] = set()
        self._nodes = 0
        self._aliases = 0
        self._root: Json = None

    def compose(self, text: str) -> Json:
        # libyaml compares every TAG directive with every other.
        if directive := next(islice(_TAG_DIRECTIVE.finditer(text), _MAX_DIRECTIVES, None), None):
            line = text.count("\n", 0, directive.start()) + 1
            raise SpecError("spec.syntax", f"more than {_MAX_DIRECTIVES} TAG directives", f"line {line}")
        parser = CParser(text)
        documents = 0
        while True:
            event: Any = parser.get_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                if self._restore:
                    event.value = event.value.translate(_STAND_INS)
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open(event, {}, "map")
            elif kind is yaml.SequenceStartEvent:
                self._open(event, [], "seq")
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._refuse(event, "several_documents", "the stream holds more than one YAML document")
            elif kind is yaml.StreamEndEvent:
                return self._root

    def _refuse(self, event: Any, code: str, message: str) -> NoReturn:
        mark = event.start_mark
        raise SpecError(f"spec.{code}", message, _place(mark.line + 1, mark.column + 1))

    def _count(self, event: Any, nodes: int, height: int) -> None:
        self._nodes += nodes
        if self._nodes > self._most_nodes:
            self._refuse(event, "too_many_nodes", f"more than {self._most_nodes} values, aliases expanded")
        if len(self._stack) + height > self._limits.depth:
            self._refuse(event, "too_deep", f"more than {self._limits.depth} levels of nesting")

    def _open(self, event: Any, container: dict[str, Json] | list[Json], tag: str) -> None:
        if not self._stack and isinstance(container, list):
            self._most_nodes = min(self._most_nodes, _MOST_OF_A_LIST)
        if event.tag is not None and event.tag not in ("!", f"{_TAG}{tag}"):
            self._refuse(event, "bad_tag", f"the tag {event.tag[:80]!r} is not read")
        before = self._nodes
        self._count(event, 1, 1)
        if self._stack and self._awaits_key(self._stack[-1]):
            self._refuse(event, "bad_key", "a mapping key that is no text")
        anchor = event.anchor
        if anchor is not None:
            self._anchors.pop(anchor, None)
            self._open_anchors.add(anchor)
        self._stack.append(_Open(container, anchor, before, event.start_mark))

    def _close(self) -> None:
        node = self._stack.pop()
        if node.merged and isinstance(node.container, dict):
            for mapping in node.merged:
                for key, value in mapping.items():
                    node.container.setdefault(key, value)
        if node.anchor is not None:
            self._open_anchors.discard(node.anchor)
            self._anchors[node.anchor] = node.container, self._nodes - node.nodes_before, node.height
        self._place_value(node.container, node.height)

    def _alias(self, event: Any) -> None:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            self._refuse(event, "too_many_aliases", f"more than {self._limits.aliases} aliases")
        if event.anchor in self._open_anchors:
            self._refuse(event, "alias_cycle", f"the alias *{event.anchor[:80]} stands inside what it names")
        if event.anchor not in self._anchors:
            self._refuse(event, "syntax", f"the alias *{event.anchor[:80]} names nothing")
        value, nodes, height = self._anchors[event.anchor]
        self._count(event, nodes, height)
        if self._stack and self._awaits_key(self._stack[-1]):
            if not isinstance(value, str):
                self._refuse(event, "bad_key", "a mapping key that is no text")
            self._key(self._stack[-1], value, event)
        else:
            self._place_value(value, height)

    def _scalar(self, event: Any) -> None:
        tag, anchor = event.tag, event.anchor
        node = self._stack[-1] if self._stack else None
        if node is not None and node.key is None and type(node.container) is dict:
            if tag is not None and tag not in _SCALAR_TAGS and tag not in ("!", f"{_TAG}str"):
                self._refuse(event, "bad_tag", f"the tag {tag[:80]!r} is not read")
            if anchor is not None:
                self._anchors[anchor] = event.value, 1, 0
            self._key(node, event.value, event)
            return
        self._nodes += 1
        if self._nodes > self._most_nodes:
            self._count(event, 0, 0)
        value = self._value(event)
        if anchor is not None:
            self._anchors[anchor] = value, 1, 0
        self._place_value(value, 0)

    @staticmethod
    def _awaits_key(node: _Open) -> bool:
        return node.key is None and type(node.container) is dict

    def _key(self, node: _Open, key: str, event: Any) -> None:
        if "\0" in key:
            self._refuse(event, "bad_text", "a key holds the character U+0000")
        if key == "<<" and type(event) is yaml.ScalarEvent and event.implicit[0]:
            node.key = _MERGE
            return
        if key in node.container:
            self._refuse(event, "duplicate_key", f"the key {key[:80]!r} stands twice in one mapping")
        node.key = key

    def _place_value(self, value: Json, height: int) -> None:
        if not self._stack:
            self._root = value
            return
        node = self._stack[-1]
        if node.height <= height:
            node.height = height + 1
        if isinstance(node.container, list):
            node.container.append(value)
            return
        key, node.key = node.key, None
        if key == _MERGE:
            merged = value if isinstance(value, list) else [value]
            if not all(isinstance(item, dict) for item in merged):
                raise SpecError("spec.syntax", "a merge key << that names no mapping", f"line {node.start.line + 1}")
            node.merged += tuple(merged)
        elif key is not None:
            node.container[key] = value

    def _value(self, event: Any) -> Json:
        text: str = event.value
        if event.tag is None and event.implicit[0] and text and text[0] not in _PLAIN_START:
            return text
        if event.tag in _SCALAR_TAGS:
            wanted = _SCALAR_TAGS[event.tag]
        elif event.tag is None and event.implicit[0]:
            wanted = ""
        elif event.tag in (None, "!", f"{_TAG}str"):
            if "\0" in text:
                self._refuse(event, "bad_text", "a text holds the character U+0000")
            return text
        else:
            self._refuse(event, "bad_tag", f"the tag {event.tag[:80]!r} is not read")
        match = _PLAIN.fullmatch(text) if not text or text[0] in _PLAIN_START else None
        kind = match.lastgroup or "null" if match else "str"
        if kind == "int" and not wanted and len(text) < 19:
            return int(text)
        if wanted and wanted != _KINDS.get(kind, kind) and not (wanted == "float" and kind == "int"):
            self._refuse(event, "syntax", f"{text[:80]!r} does not fit its tag {wanted}")
        if kind in ("int", "oct", "hex", "float") and len(text) > self._limits.digits:
            self._refuse(event, "bad_number", f"a number of {len(text)} digits")
        match kind:
            case "str":
                return text
            case "null":
                return None
            case "true" | "false":
                return kind == "true"
            case "float":
                return float(text)
            case "special":
                return float(text.replace(".", ""))
            case _ if wanted == "float":
                return float(text)
            case _:
                return _narrow(int(text, {"int": 10, "oct": 8, "hex": 16}[kind]))
