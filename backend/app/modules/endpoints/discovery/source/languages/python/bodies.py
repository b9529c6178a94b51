"""Bodies of functions that no route depends on, found by their text alone and blanked before the parser sees them.

Most of the text of a program is such bodies, and parsing is most of the work of reading it.
"""

import re
from functools import cache
from typing import Any

from backend.app.modules.endpoints.discovery.source.patterns import bytes_pattern

LONGEST_PLAIN_BODY = 500
"""Bytes without the docstring; whatever is that short is kept."""
LONGEST_DECORATOR = 2_000
"""The same of functions with functions inside or around them."""


_BUILDS_ROUTES = bytes_pattern(
    r"include_router|add_(?:api_)?(?:websocket_)?route|add_url_rule|register_\w+|add_resource|add_namespace|add_(?:api|view)|\.mount\("
    r"|\.register\(|import_module|__import__|iter_modules|walk_packages|\b(?:FastAPI|API|Api|Flask|Starlette|\w*App(?:lication)?)\("
    r"|Router\(|Blueprint\(|\.route\(|urlpatterns|\bre_path\(|\bpath\(|\burl\(|init_app|\bRoute\(|Mount\("
    r"|@[\w.]+\.(?:get|post|put|delete|patch|head|options|websocket|errorhandler)\(|as_view\("
    r"|[(,]\s*(?:self\.)?_?(?:app|application|flask_app|fastapi_app|api|api_router|server|router|bp|blueprint)\s*[,)]"
)
_INNER_FUNCTION = bytes_pattern(r"^[ \t\r\n\f\v]+(?:async )?def ")
_ATOM = r"""[^()"'#]|"[^"\\\n]*"|'[^'\\\n]*'|#[^\n]*\n"""
_DEFINITION = bytes_pattern(
    r"^( *)(?:async +)?(?:class +\w|def +(\w+)"
    rf"(\s*\((?:{_ATOM}|\((?:{_ATOM}|\((?:{_ATOM})*\))*\))*\)\s*(?:->[^:\n#]*)?:[ \t]*(?:#[^\n]*)?\n)?)"
)
"""Up to the first line of a function's body; without the third group when the header is not understood."""
_BEFORE_CODE = re.compile(
    rb'(?:\s|#[^\n]*\n)*(?:[rRuU]?(?:"""(?:[^"\\]|\\.|"{1,2}(?!"))*"""|\'\'\'(?:[^\'\\]|\\.|\'{1,2}(?!\'))*\'\'\'))?',
    re.DOTALL,
)
_INDENTATION = re.compile(rb"(?: *(?:#[^\n]*)?\n)*( *)")
_MARGIN = 100
"""Bytes by which the parser may see a body end or begin elsewhere, at comments."""
_BLANK = bytes(byte if byte in b"\r\n" else 32 for byte in range(256))


def builds_routes(text: bytes, start: int, end: int) -> bool:
    """Whether a body may add routes to something."""
    return _BUILDS_ROUTES.search(text, start, end) is not None


def has_inner_function(text: bytes, start: int, end: int) -> bool:
    return _INNER_FUNCTION.search(text, start, end) is not None


def without_bodies(text: bytes) -> tuple[bytes, frozenset[int]]:
    """The text with spaces for bodies, its lines and offsets as they were, and where the names of the functions stand.

    Only bodies that would be left out anyway are; in doubt, none.
    """
    if b"\n\t" in text or b"\r" in text:
        return text, frozenset()
    found = [(match.start(), match.end(1), match.start(2), match.end(3)) for match in _DEFINITION.finditer(text)]
    found.append((len(text), len(text), -1, -1))
    parts: list[bytes] = []
    names: set[int] = set()
    around: list[tuple[int, bool]] = []
    done = 0
    for number, (at, margin, name, start) in enumerate(found[:-1]):
        if at < done:
            continue
        indentation = margin - at
        while around and around[-1][0] >= indentation:
            around.pop()
        is_nested = bool(around) and around[-1][1]
        around.append((indentation, name >= 0))
        if start < 0 or text.startswith(b"__init__", name):
            continue
        beyond = number + 1
        while found[beyond][1] - found[beyond][0] > indentation:
            beyond += 1
        if found[beyond][0] - start <= LONGEST_PLAIN_BODY:
            continue
        end = _end_of_body(text, start, indentation)
        if end - start <= LONGEST_PLAIN_BODY or not _is_whole(text, start, end):
            continue
        code = _BEFORE_CODE.match(text, start, end).end()  # type: ignore[union-attr]
        size = end - code - _MARGIN
        if size <= LONGEST_PLAIN_BODY or builds_routes(text, code, end):
            continue
        if size <= LONGEST_DECORATOR and (is_nested or has_inner_function(text, code, end)):
            continue
        parts += [text[done:start], text[start : end - 1].translate(_BLANK), b"0"]
        done = end
        names.add(name)
    return (b"".join([*parts, text[done:]]), frozenset(names)) if names else (text, frozenset())


def _end_of_body(text: bytes, start: int, indentation: int) -> int:
    """Before the first line that is not empty, no comment, and not as far in as the body; `start` when that line is
    none of what is around the function either."""
    first = _INDENTATION.match(text, start)
    inside = len(first[1]) if first else 0
    if not indentation < inside < 900:
        return start
    after = _outer_line(inside - 1).search(text, start)
    if after and after.end() - 1 - after.start() > indentation:
        return start
    return start + len(text[start : after.start() if after else len(text)].rstrip())


@cache
def _outer_line(indentation: int) -> Any:
    """Of this indentation at most."""
    return bytes_pattern(rf"^ {{0,{indentation}}}[^ \n#]")


def _is_whole(text: bytes, start: int, end: int) -> bool:
    """Not cut off within a string or a continued line."""
    line = text.rfind(b"\n", 0, end) + 1
    return (
        text.count(b'"""', start, end) % 2 == 0
        and text.count(b"'''", start, end) % 2 == 0
        and not text.endswith(b"\\", start, end)
        and not text[line:end].lstrip().startswith(b"#")
    )
