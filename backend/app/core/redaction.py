"""One layer that keeps secrets out of logs, events and reports: by the name of a field, by the form of a text, and by
the value of every secret that this process read (OWASP ASVS 5, 16.2.5).

RE2 finds them in time linear in the text, whatever the text; what holds none costs one search.
"""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import re2
from pydantic import BaseModel, SecretStr

MASK: Final = "***"

_NAMES = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|authorization|cookie|api[_-]?key|private[_-]?key|credential"
    r"|auth_config)"
)
_NAME = re.compile(_NAMES, re.I)
_HARMLESS = re.compile(r"(?:[_-](?:ids?|type|count|limit|at|fields?|minutes|days|url|pointer|endpoint)|[a-z]Id)$")
"""Ends of names that say something about a secret, and hold none."""

_NAMED = (
    rf"(?i)(?P<name>{_NAMES}(?:s|[_-][a-z0-9_-]+)?)"
    r"(?P<between>\\?[\"']?\s*[:=]\s*(?:(?:bearer|basic|digest)\s+)?)"
    r"(?P<value>\"(?:[^\"\\]|\\.)+|\\\"(?:[^\"\\]|\\\\(?:\\.|[^\"\\]))+|'[^'\\]+|[^\s\"'\\,;&<>(){}\[\]]+)"
)
_FORMS: Final = (
    (r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)", MASK),
    (r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){2,4}", MASK),
    (r"\b(?:ak|rt)_[A-Za-z0-9_-]{16,}", MASK),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK),
    (r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}", MASK),
    (r"\bsk[-_][A-Za-z0-9_-]{16,}|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{30,}", MASK),
    (r"(://hooks\.[^/\s\"']+/services/)[^\s\"'<>\\]+", rf"\1{MASK}"),
    (r"(?i)(\b[a-z][a-z0-9+.-]*://)[^/\s\"'<>\\]*@", rf"\1{MASK}@"),
    (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*", rf"\1 {MASK}"),
    (r"(?i)([?&](?:code|state|key|sig|signature)=)[^&\s\"'<>#\\]+", rf"\1{MASK}"),
)

_LITERAL = re.compile(r"null|true|false|NaN|-?(?:Infinity|[0-9][0-9.eE+-]*)")

_SHORTEST: Final = 6
"""Characters of a value that is searched for: a shorter one stands in too many innocent words."""
_LONGEST: Final = 300
"""Characters of a value that are compared; what follows them without a space is masked too."""
_MOST: Final = 256
_NO_SECRETS: Final = frozenset({"name", "username", "url", "method", "header", "prefix", "token_pointer"})
"""Members of sealed credentials that anybody may see."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    return _NAME.search(name) is not None and _HARMLESS.search(name) is None


def redact(value: Any) -> Any:
    """A copy of a JSON-like value with every secret masked, at any depth."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if item is not None and is_secret_name(str(key)) else redact(item) for key, item in value.items()
        }
    return [redact(item) for item in value] if isinstance(value, list | tuple) else value


def redact_text(text: str) -> str:
    """The text with every secret masked. JSON stays JSON; lone surrogates become question marks."""
    raw = text.encode(errors="replace")
    if not text.isascii():
        text = raw.decode()
    if _values.finder().search(raw) is None:
        return text
    for form, mask in _compiled_forms():
        text = form.sub(mask, text)
    text = _named().sub(_mask_named, text)
    return text if (known := _values.pattern()) is None else known.sub(MASK, text)


def redact_json(document: bytes) -> bytes:
    """The JSON document with the secrets in its texts masked: whoever reads it finds every other value as it was."""
    return (
        document if _values.finder().search(document) is None else orjson.dumps(_redact_texts(orjson.loads(document)))
    )


def redact_line(line: bytes) -> bytes:
    """As `redact_text`, of a text in UTF-8."""
    return line if _values.finder().search(line) is None else redact_text(line.decode(errors="replace")).encode()


def remember(*values: str) -> None:
    """Masks these values from here on, in plain, percent-encoded (RFC 3986) and base64 (RFC 4648) form."""
    _values.add(values)


def remember_opened(plaintext: bytes) -> None:
    """Remembers what was sealed: a text, or the members of a JSON object that are secret."""
    try:
        document = json.loads(plaintext)
    except ValueError:
        document = plaintext.decode(errors="replace")
    if not isinstance(document, dict):
        document = {"": document if isinstance(document, str) else plaintext.decode(errors="replace")}
    _values.add(_texts({name: value for name, value in document.items() if name not in _NO_SECRETS}))


def remember_settings(settings: BaseModel) -> None:
    """Remembers every `SecretStr`, and the password of every URL."""
    _values.add(_secrets_of(settings))


def _redact_texts(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return MASK if is_secret_name(name) else redact_text(value)
    if isinstance(value, dict):
        return {key: _redact_texts(item, key) for key, item in value.items()}
    return [_redact_texts(item, name) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _secrets_of(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_of(getattr(value, name))
    elif isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _secrets_of(item)
    elif isinstance(value, str) and "://" in value and (password := urlsplit(value).password):
        yield password


class _Values:
    """The last values that were remembered, and what finds them."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, None] = OrderedDict()
        self.clear()

    def add(self, values: Iterable[str]) -> None:
        for value in values:
            if value in self._held:
                self._held.move_to_end(value)
            elif len(value) >= _SHORTEST:
                self._held[value] = None
                self._stale = True
                if len(self._held) > _MOST:
                    self._held.popitem(last=False)

    def clear(self) -> None:
        self._held.clear()
        self._stale = True

    def pattern(self) -> Any:
        """What matches a value; None without values."""
        if self._stale:
            self._compile()
        return self._pattern

    def finder(self) -> Any:
        """What matches bytes that may hold a secret of any kind: one search tells that a line holds none."""
        if self._stale:
            self._compile()
        return self._finder

    def _compile(self) -> None:
        self._stale = False
        longest_first = sorted(self._held, key=len, reverse=True)
        values = "|".join(form for value in longest_first for form in _forms_of(value))
        self._pattern = _compiled(values) if values else None
        any_form = "|".join([f"(?:{form})" for form, _ in _FORMS] + [_NAMED])
        self._finder = _compiled((f"{any_form}|{values}" if values else any_form).encode())


_values = _Values()


def _forms_of(value: str) -> Iterator[str]:
    rest = r"[^\s\"'\\]*" if len(value) > _LONGEST else ""
    cut = value[:_LONGEST]
    yield "".join(map(_encoded, cut)) + rest
    raw = cut.encode(errors="replace")
    for offset, lead in enumerate((0, 2, 3)):  # each place that the value can have in the groups of three bytes
        encoded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
        whole = encoded[lead : len(encoded) - ((len(raw) + offset) % 3 > 0)]
        if len(whole) >= _SHORTEST:
            yield re.escape(whole).replace(r"\+", "[+-]").replace("/", "[/_]") + r"[A-Za-z0-9+/_-]?={0,2}"


@lru_cache(maxsize=1024)
def _encoded(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    percent = "".join(f"(?i:%{byte:02x})" for byte in character.encode(errors="replace"))
    escaped = json.dumps(character)[1:-1]
    return "(?:" + "|".join(dict.fromkeys([percent, re2.escape(escaped), re2.escape(character)])) + ")"


def _mask_named(match: Any) -> str:
    name, between, value = match.group("name"), match.group("between"), match.group("value")
    if value in ("None", "True", "False") or _HARMLESS.search(name) or _is_json_literal(value, between):
        return str(match.group())
    opening = value[:2] if value.startswith('\\"') else value[:1] if value[0] in "\"'" else ""
    return f"{name}{between}{opening}{MASK}"


def _is_json_literal(value: str, between: str) -> bool:
    """Whether it stands without quotes behind a name in quotes, as numbers do in JSON."""
    return between.lstrip("\\").startswith('"') and _LITERAL.fullmatch(value) is not None


def _compiled(pattern: str | bytes) -> Any:
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return re2.compile(pattern, options)


@lru_cache(maxsize=1)
def _compiled_forms() -> list[tuple[Any, str]]:
    return [(_compiled(form), mask) for form, mask in _FORMS]


@lru_cache(maxsize=1)
def _named() -> Any:
    return _compiled(_NAMED)
