"""A description without what the list of its operations does not show: schemas, parameters, bodies and answers.

A large one is listed from its outline. Parsers of YAML take some 100 ns for each byte, so what nobody asks for is
better never parsed: block-style YAML tells by its indentation where a value ends (YAML 1.2.2, 8.2), which is found 25
times as fast.
"""

import re

from backend.app.engine.spec.model import Json

OUTLINE_BYTES = 8 * 1024 * 1024
"""A description with more is listed from its outline."""

_METHODS = frozenset({"get", "head", "options", "post", "put", "patch", "delete", "trace", "query"})
_OF_OPERATION = frozenset(
    {"tags", "summary", "description", "operationId", "deprecated", "security", "servers", "$ref"}
)
_NOT_OF_ROOT = frozenset({"definitions", "parameters", "responses"})
_NOT_OF_COMPONENTS = frozenset(
    {"schemas", "responses", "parameters", "examples", "requestBodies", "headers", "links", "callbacks", "mediaTypes"}
)
_PATHS = re.compile(r"""^(?:paths|"paths"|'paths'):[ \t]*\r?\n(?:[ \t]*(?:#.*)?\n)*( +)[^ \t\r\n#-]""", re.MULTILINE)
_KEY = r"""(?:([\w$][\w$.-]*+)|'([^'\n]+)'|"([^"\\\n]+)") *+:(?=\s|$)"""
_MAX_STEP = 8


def outline(document: dict[str, Json]) -> dict[str, Json]:
    """What is there of the document, with the same pointers."""
    short = {name: value for name, value in document.items() if name not in _NOT_OF_ROOT}
    for name in ("paths", "webhooks"):
        if name in short:
            short[name] = _items(short[name])
    if isinstance(components := document.get("components"), dict):
        short["components"] = {
            name: _items(value) if name == "pathItems" else value
            for name, value in components.items()
            if name not in _NOT_OF_COMPONENTS
        }
    return short


def _items(items: Json) -> Json:
    return {name: _item(item) for name, item in items.items()} if isinstance(items, dict) else items


def _item(item: Json) -> Json:
    if not isinstance(item, dict):
        return item
    return {
        name: _operation(value) if name in _METHODS else _additional(value) if name == "additionalOperations" else value
        for name, value in item.items()
        if name != "parameters"
    }


def _additional(operations: Json) -> Json:
    if not isinstance(operations, dict):
        return operations
    return {name: _operation(value) for name, value in operations.items()}


def _operation(operation: Json) -> Json:
    if not isinstance(operation, dict):
        return operation
    return {name: value for name, value in operation.items() if name in _OF_OPERATION}


def outline_of_yaml(text: str) -> str | None:
    """A shorter text with the same outline.

    `None` for a text that is not laid out as generators of descriptions do: in block style, paths, methods and the
    members of operations each deeper by the same number of spaces. Whether what is left out is YAML is not known; an
    alias to something in it has lost its anchor, and lines have other numbers.
    """
    paths = _PATHS.search(text)
    step = len(paths[1]) if paths else 0
    if not 0 < step <= _MAX_STEP or ("\r" in text and text.count("\r") != text.count("\r\n")):
        return None
    kept: list[str] = []
    kept_from, cut_from, cut_indent, kept_indent = 0, -1, 0, 0
    section = member = ""
    # Begins with a character and looks at few others, because most of the time is spent here.
    for line in re.finditer(rf"\n(?! {{{3 * step + 1}}})( *+)(?:{_KEY}|(- |-\r?$)|[^\s#])", text, re.MULTILINE):
        spaces, plain, single, double, item = line.groups()
        indent = len(spaces)
        if cut_from >= 0:
            # Items of a list may stand as deep as its key.
            if indent > cut_indent or (item and indent == cut_indent):
                continue
            kept.append(text[kept_from:cut_from])
            kept_from, cut_from = line.start(), -1
        name = plain or single or double or ""
        cut = False
        if indent == 0 and not item:
            section = name
            cut = name in _NOT_OF_ROOT
        elif section not in ("paths", "components"):
            continue
        elif item:
            # Of a list where an object is expected, which may have members as deep as those that are cut.
            if indent < step or (section == "paths" and indent < (3 if member in _METHODS else 2) * step):
                return None
            continue
        elif indent < step:
            return None
        elif section == "components":
            cut = indent == step and name in _NOT_OF_COMPONENTS
        elif indent == step:
            member = ""
        elif indent == 2 * step:
            member = name
            cut = name == "parameters"
        elif indent == 3 * step:
            cut = member in _METHODS and bool(name) and name not in _OF_OPERATION
        elif indent < 2 * step or member in _METHODS:
            return None
        if cut:
            # The first member keeps its name, for what it is of to stay a mapping.
            cut_from, cut_indent = line.end() if indent > kept_indent else line.start(), indent
        kept_indent = indent
    kept.append(text[kept_from:] if cut_from < 0 else f"{text[kept_from:cut_from]}\n")
    return "".join(kept)
