"""Methods of `String` and `RegExp`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import re2

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Closure,
    NativeFunction,
    Regex,
    Unknown,
    Value,
    is_known,
    text_of,
)

if TYPE_CHECKING:
    pass


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


def _match(text: str, call: Call) -> Value:
    pattern = call.value(0)
    expression = compiled(pattern) if isinstance(pattern, Regex) else None
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
        if expression is None:
            return Unknown()
        count = 0 if "g" in wanted.flags else 1
        if isinstance(by, str):
            template = by.replace("\\", "\\\\")
            for number in range(1, 10):
                template = template.replace(f"${number}", f"\\{number}")
            try:
                return expression.sub(template, text, count)
            except (re2.error, IndexError):
                return Unknown()
        if isinstance(by, (Closure, NativeFunction)):
            return expression.sub(
                lambda match: text_of(call.evaluator.force(call.evaluator.call_values(by, match[0], *match.groups()))),
                text,
                count,
            )
        return Unknown()
    if isinstance(wanted, str) and isinstance(by, str):
        return text.replace(wanted, by) if everywhere else text.replace(wanted, by, 1)
    return Unknown()


def _split(text: str, call: Call) -> Value:
    separator = call.value(0)
    if isinstance(separator, str):
        return text.split(separator) if separator else list(text)
    expression = compiled(separator) if isinstance(separator, Regex) else None
    return list(expression.split(text)) if expression is not None else Unknown()


def slice_of(items: Any, call: Call) -> Value:
    bounds = [value if isinstance(value, int) else None for value in call.values()[:2]]
    return items[slice(*(bounds or [None]))] if len(bounds) != 1 else items[bounds[0] :]


def _substring(text: str, call: Call) -> Value:
    start, end = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    return text[max(start, 0) : max(end, 0)] if isinstance(end, int) else text[max(start, 0) :]


def _substr(text: str, call: Call) -> Value:
    start, length = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    return text[start:][:length] if isinstance(length, int) else text[start:]


def at(items: Any, call: Call) -> Value:
    index = call.value(0)
    return items[index] if isinstance(index, int) and -len(items) <= index < len(items) else UNDEFINED


def _asks(test: Callable[[str, str], Any]) -> Callable[[str, Call], Value]:
    def ask(text: str, call: Call) -> Value:
        other = call.value(0)
        return test(text, other) if isinstance(other, str) and is_known(text + other) else Unknown()

    return ask


def _repeat(text: str, call: Call) -> Value:
    count = call.value(0)
    return text * count if isinstance(count, int) and 0 <= count * len(text) < 10_000 else Unknown()


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
    "slice": slice_of,
    "substring": _substring,
    "substr": _substr,
    "concat": lambda text, call: text + "".join(map(text_of, call.values())),
    "match": _match,
    "charAt": lambda text, call: at(text, call) if at(text, call) is not UNDEFINED else "",
    "at": at,
    "repeat": _repeat,
}
