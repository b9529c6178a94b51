"""Methods of `String` and `RegExp`."""

import re
from collections.abc import Callable
from typing import Any

import re2

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_TEXT
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Closure,
    NativeFunction,
    Regex,
    Unknown,
    Value,
    fill_unknown,
    is_known,
    joined,
    known_around,
    text_of,
    unknown_part,
    unknown_parts,
)

_PLACEHOLDERS = 0xE100
_MOST_PLACEHOLDERS = 200
_PLACEHOLDER = re.compile(f"[{chr(_PLACEHOLDERS)}-{chr(_PLACEHOLDERS + _MOST_PLACEHOLDERS)}]")
_REPLACEMENT = re.compile(r"\$(\$|&|[1-9]|<\w+>)")
_HARMLESS = frozenset(
    {"replace", "replaceAll", "split", "toLocaleLowerCase", "toLowerCase", "toUpperCase"}
    | {"trim", "trimEnd", "trimStart"}
)


def compiled(pattern: Regex) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in pattern.flags
    source = pattern.source.replace("\\/", "/").replace("(?<", "(?P<")
    try:
        return re2.compile(source, options)
    except re2.error:
        return None


def test(pattern: Regex, value: Value) -> Value:
    expression = compiled(pattern)
    if expression is None or not isinstance(value, str) or not is_known(value):
        return Unknown()
    return expression.search(value) is not None


def new_regexp(call: Call) -> Value:
    source = call.value(0)
    if isinstance(source, Regex):
        return source
    return Regex(source, call.text(1) or "") if isinstance(source, str) and is_known(source) else Unknown("RegExp")


def call_string_method(text: str, name: str, call: Call) -> Value:
    """Parts that are not known are taken for one character that is unlike any other, where that is harmless."""
    method = STRING_METHODS[name]
    if is_known(text) or name not in _HARMLESS:
        return method(text, call)
    labels: list[str] = []

    def hide(label: str) -> str:
        labels.append(label)
        return chr(_PLACEHOLDERS + len(labels) - 1)

    def show(value: Value) -> Value:
        if isinstance(value, list):
            return [show(each) for each in value]
        if not isinstance(value, str):
            return value
        return _PLACEHOLDER.sub(lambda match: unknown_part(labels[ord(match[0]) - _PLACEHOLDERS]), value)

    if len(unknown_parts(text)) > _MOST_PLACEHOLDERS:
        return Unknown(name)
    return show(method(fill_unknown(text, hide), call))


def _match(text: str, call: Call) -> Value:
    pattern = call.value(0)
    expression = compiled(pattern) if isinstance(pattern, Regex) and is_known(text) else None
    if expression is None:
        return Unknown()
    found = expression.search(text)
    if found is None:
        return None
    return [found[0], *(UNDEFINED if group is None else group for group in found.groups())]


def _replace(text: str, call: Call, everywhere: bool) -> Value:
    wanted, by = call.value(0), call.value(1)
    if isinstance(wanted, Regex):
        expression = compiled(wanted)
        everywhere = "g" in wanted.flags
    elif isinstance(wanted, str):
        expression = re.compile(re.escape(wanted))
    else:
        expression = None
    if expression is None:
        return Unknown()
    size = 0

    def replaced(match: Any) -> str:
        nonlocal size
        if isinstance(by, str):
            result = _REPLACEMENT.sub(lambda reference: _referred(reference, match), by)
        else:
            result = text_of(call.evaluator.force(call.evaluator.call_values(by, match[0], *match.groups())))
        size += len(result)
        return result if size <= MOST_TEXT else ""

    if not isinstance(by, (str, Closure, NativeFunction)):
        return Unknown()
    result = expression.sub(replaced, text, 0 if everywhere else 1)
    return result if size <= MOST_TEXT else Unknown()


def _referred(reference: re.Match[str], match: Any) -> str:
    """What `$1`, `$<name>`, `$&` or `$$` stands for."""
    name = reference[1].strip("<>")
    if name == "$":
        return "$"
    try:
        return match[0 if name == "&" else int(name) if name.isdecimal() else name] or ""
    except (IndexError, KeyError):
        return reference[0]


def _split(text: str, call: Call) -> Value:
    separator = call.value(0)
    if isinstance(separator, str):
        return text.split(separator) if separator else list(text)
    expression = compiled(separator) if isinstance(separator, Regex) else None
    return list(expression.split(text)) if expression is not None else Unknown()


def _cut(text: str, start: int, end: int | None) -> Value:
    """As Python's slice; not known when the places cannot be told for what of the text is not known."""
    if not is_known(text):
        before, after = known_around(text)
        if not all(-after <= bound <= before for bound in (start, end or 0)):
            return Unknown(unknown_parts(text)[0])
    return text[start:end]


def _slice(text: str, call: Call) -> Value:
    start, end = (value if isinstance(value, int) else None for value in (call.value(0), call.value(1)))
    return _cut(text, start or 0, end)


def _substring(text: str, call: Call) -> Value:
    start, end = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    return _cut(text, max(start, 0), max(end, 0) if isinstance(end, int) else None)


def _substr(text: str, call: Call) -> Value:
    start, length = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    end = start + length if isinstance(length, int) else None
    return _cut(text, start, None if end is not None and start < 0 <= end else end)


def character(text: str, index: Value) -> Value:
    """Undefined: there is none there."""
    if not isinstance(index, int):
        return UNDEFINED if is_known(text) else Unknown()
    found = _cut(text, index, index + 1 or None)
    return UNDEFINED if found == "" else found


def _char_at(text: str, call: Call) -> Value:
    found = character(text, call.value(0))
    return "" if found is UNDEFINED else found


def _asks(test: Callable[[str, str], Any]) -> Callable[[str, Call], Value]:
    def ask(text: str, call: Call) -> Value:
        other = call.value(0)
        return test(text, other) if isinstance(other, str) and is_known(text + other) else Unknown()

    return ask


def _repeat(text: str, call: Call) -> Value:
    count = call.value(0)
    return text * count if isinstance(count, int) and 0 <= count * len(text) < MOST_TEXT else Unknown()


STRING_METHODS: dict[str, Callable[[str, Call], Value]] = {
    "split": _split,
    "replace": lambda text, call: _replace(text, call, False),
    "replaceAll": lambda text, call: _replace(text, call, True),
    "toLowerCase": lambda text, call: text.lower(),
    "toUpperCase": lambda text, call: text.upper(),
    "toLocaleLowerCase": lambda text, call: text.lower(),
    "trim": lambda text, call: text.strip(),
    "trimEnd": lambda text, call: text.rstrip(),
    "trimStart": lambda text, call: text.lstrip(),
    "toString": lambda text, call: text,
    "valueOf": lambda text, call: text,
    "startsWith": _asks(str.startswith),
    "endsWith": _asks(str.endswith),
    "includes": _asks(lambda text, other: other in text),
    "indexOf": _asks(str.find),
    "lastIndexOf": _asks(str.rfind),
    "slice": _slice,
    "substring": _substring,
    "substr": _substr,
    "concat": lambda text, call: joined([text, *map(text_of, call.values())]),
    "match": _match,
    "charAt": _char_at,
    "at": lambda text, call: character(text, call.value(0)),
    "repeat": _repeat,
}
