"""One layer that keeps secrets out of logs, events and reports: by the name of a field, by the form of a text, and by
the value of every secret that this process read (OWASP ASVS 5, 16.2.5).

A value that is an ordinary word is not searched for (`is_distinctive`): masking every `orders` would blot out the paths
of all tenants, and tell whoever reads them what the password is. Such a secret is masked by name and by form only.

RE2 finds names and forms in time linear in the text. Values are found by an index of parts of them, which costs the
same however many there are, and nothing to speak of for one more: a server reads secrets of other projects all day.
"""

import base64
import json
import re
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit

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
    (r"\b(?:ak|mt|rt)_[A-Za-z0-9_-]{16,}", MASK),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK),
    (r"\bgh[opsur]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}", MASK),
    (r"\bsk[-_][A-Za-z0-9_-]{16,}|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{30,}", MASK),
    (r"(://hooks\.[^/\s\"']+/services/)[^\s\"'<>\\]+", rf"\1{MASK}"),
    (r"(?i)(\b[a-z][a-z0-9+.-]*://)[^/\s\"'<>\\]*@", rf"\1{MASK}@"),
    (
        # Not `bearer authentication`.
        r"\b((?i:bearer|basic))\s+(?:[A-Za-z0-9._~+/-]{20,}"
        r"|[A-Za-z._~+/-]*(?:[0-9]|[a-z][A-Z]|[A-Z]{2})[A-Za-z0-9._~+/-]*)=*",
        rf"\1 {MASK}",
    ),
    (r"(?i)([?&](?:code|state|key|sig|signature)=)[^&\s\"'<>#\\]+", rf"\1{MASK}"),
)

_ANY: Final = "|".join([f"(?:{form})" for form, _ in _FORMS] + [_NAMED])
_LINE: Final = 4096
"""Bytes of what is searched as a line."""

_LITERAL = re.compile(r"null|true|false|NaN|-?(?:Infinity|[0-9][0-9.eE+-]*)")

_ID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_WINDOW: Final = 4
"""Bytes of a text that are looked up together."""
_SHORTEST: Final = 2 * _WINDOW - 1
"""Characters of a value that is searched for: wherever it stands, one window lies within it."""
_SHORTEST_WORDS: Final = 12
_WORDS: Final = re.compile(r"[ ._/:-]?[^\W\d_]+(?:[ ._/:-][^\W\d_]+)*|[\d .,:+-]+")
_LONGEST: Final = 300
"""Characters of a value that are compared; what follows them without a space is masked too."""
_MOST: Final = 256
_NO_SECRETS: Final = frozenset(
    {
        *("name", "username", "user", "email", "url", "method", "header", "prefix", "token_pointer"),
        *("audience", "client_id", "grant_type", "realm", "resource", "scope", "tenant"),
    }
)
"""Members of sealed credentials that anybody may see."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    return _NAME.search(name) is not None and _HARMLESS.search(name) is None


def redact_text(text: str) -> str:
    """The text with every secret masked. JSON stays JSON; lone surrogates become question marks."""
    return str(_named().sub(_mask_named, redact_phrases(text)))


def redact_phrases(text: str) -> str:
    """As `redact_text`, without what only a name gives away: for sentences, in which `token: missing` says no more than
    that."""
    text = redact_values(text)
    if _has_form(text.encode()):
        for form, mask in _compiled_forms():
            text = form.sub(mask, text)
    return text


def redact_values(text: str) -> str:
    """The text with every remembered value masked, and nothing else: for what somebody shall be able to repeat."""
    return _values.mask(text)


def redact_json(document: bytes) -> bytes:
    """The JSON document with the secrets in its texts masked: whoever reads it finds every other value as it was, and
    every id, for handlers find their rows by it."""
    return document if _is_clean(document) else orjson.dumps(_redact_texts(orjson.loads(document)))


def redact_line(line: bytes) -> bytes:
    """As `redact_text`, of a text in UTF-8."""
    return line if _is_clean(line) else redact_text(line.decode(errors="replace")).encode()


def is_distinctive(value: str) -> bool:
    """Whether a value can be told from what else stands in a text: 7 characters or more; words, and numbers as they are
    usually written, from 12."""
    return len(value) >= (_SHORTEST if _WORDS.fullmatch(value) is None else _SHORTEST_WORDS)


def remember(*values: str) -> None:
    """Masks these values from here on, the distinctive ones, in plain, percent-encoded (RFC 3986), JSON-escaped and
    base64 (RFC 4648) form."""
    _values.add(values)


def remember_opened(plaintext: bytes) -> None:
    """Remembers what was sealed: a text, or the members of a JSON object that are secret."""
    try:
        document = json.loads(plaintext)
    except ValueError:
        document = plaintext.decode(errors="replace")
    if not isinstance(document, dict):
        document = {"": document if isinstance(document, str) else plaintext.decode(errors="replace")}
    _values.add(_texts(document))


def remember_settings(settings: BaseModel) -> None:
    """Remembers every `SecretStr`, and the password of every URL."""
    _values.add(_secrets_of(settings))


def _is_clean(raw: bytes) -> bool:
    return not _has_form(raw) and not _values.found_in(raw)


def _redact_texts(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        if _ID.fullmatch(value) is not None and _HARMLESS.search(name) is not None:
            return value
        return MASK if is_secret_name(name) else redact_text(value)
    if isinstance(value, dict):
        return {key: _redact_texts(item, key) for key, item in value.items()}
    return [_redact_texts(item, name) for item in value] if isinstance(value, list) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in _NO_SECRETS:
                yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
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


class Values:
    """Secrets to find in texts; of more than `most`, those that were added or read last.

    A text is looked at in windows of four bytes that lie side by side. Of each form of a value that it may hold, seven
    bytes are indexed by the four windows that may lie in them.
    """

    def __init__(self, values: Iterable[str] = (), most: int = _MOST) -> None:
        self._most = most
        self._held: OrderedDict[str, None] = OrderedDict()
        self._by_window: dict[int, dict[str, None]] = {}
        self.add(values)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, values: Iterable[str]) -> None:
        """Those that are distinctive."""
        for value in values:
            if value in self._held:
                self._held.move_to_end(value)
            elif is_distinctive(value):
                self._held[value] = None
                for window in _windows_of(value):
                    self._by_window.setdefault(window, {})[value] = None
                if len(self._held) > self._most:
                    self._drop(self._held.popitem(last=False)[0])

    def clear(self) -> None:
        self._held.clear()
        self._by_window.clear()

    def mask(self, text: str) -> str:
        """Lone surrogates become question marks."""
        raw = text.encode(errors="replace")
        if not text.isascii():
            text = raw.decode()
        for value in self.found_in(raw):
            text = _pattern_of(value).sub(MASK, text)
        return text

    def found_in(self, raw: bytes) -> list[str]:
        """The values that the text may hold, the longest first; mostly none."""
        if not self._held:
            return []
        found = self._in_windows(raw)
        if b"%" in raw or b"\\" in raw:
            found = found.union(*map(self._in_windows, _readings(raw)))
        return sorted(found, key=lambda value: (-len(value), value)) if found else []

    def _in_windows(self, raw: bytes) -> set[str]:
        windows = memoryview(raw)[: len(raw) // _WINDOW * _WINDOW].cast("I")
        if self._by_window.keys().isdisjoint(windows):
            return set()
        return {
            value
            for window in self._by_window.keys() & set(windows)
            for value in tuple(self._by_window.get(window, ()))  # another thread may add and drop
        }

    def _drop(self, value: str) -> None:
        for window in _windows_of(value):
            if (having := self._by_window.get(window)) is not None:
                having.pop(value, None)
                if not having:
                    del self._by_window[window]


_values = Values()


def _readings(raw: bytes) -> Iterator[bytes]:
    """How the text reads without percent-encoding, without the escapes of JSON, and without both."""
    plain = unquote_to_bytes(raw)
    yield plain
    for reading in {raw, plain}:
        if b"\\" in reading:
            yield _unescaped(reading)


_CODE_UNITS: Final = re.compile(rb"(?:\\u[0-9A-Fa-f]{4})+")
_SHORT_ESCAPES: Final = tuple(
    (f"\\{letter}".encode(), character.encode()) for letter, character in zip('"/bfnrt', '"/\b\f\n\r\t', strict=True)
)


def _unescaped(raw: bytes) -> bytes:
    """By RFC 8259, 7, in steps that each are one pass in C: a text may hold a million escapes."""
    raw = raw.replace(rb"\\", b"\x00")
    for escape, character in _SHORT_ESCAPES:
        raw = raw.replace(escape, character)
    return _CODE_UNITS.sub(_characters, raw).replace(b"\x00", b"\\")


def _characters(match: re.Match[bytes]) -> bytes:
    return str(json.loads(b'"%b"' % match[0])).encode(errors="replace")


def _windows_of(value: str) -> Iterator[int]:
    """From the middle of each form: the beginnings of tokens are alike."""
    raw = value[:_LONGEST].encode(errors="replace")
    for form in (raw, *_base64_forms(raw), *_base64_forms(raw, b"-_")):
        middle = (len(form) - _SHORTEST) // 2
        for start in range(middle, middle + _WINDOW):
            yield int.from_bytes(form[start : start + _WINDOW], sys.byteorder)


def _base64_forms(raw: bytes, signs: bytes = b"+/") -> Iterator[bytes]:
    """One for each place that the value can have in the groups of three bytes, without what its neighbours decide."""
    for offset, lead in enumerate((0, 2, 3)):
        encoded = base64.b64encode(bytes(offset) + raw, signs).rstrip(b"=")
        yield encoded[lead : len(encoded) - ((len(raw) + offset) % 3 > 0)]


@lru_cache(maxsize=_MOST)
def _pattern_of(value: str) -> Any:
    rest = r"[^\s\"'\\]*" if len(value) > _LONGEST else ""
    cut = value[:_LONGEST]
    forms = ["".join(map(_encoded, cut)) + rest]
    for form in _base64_forms(cut.encode(errors="replace")):
        either = re.escape(form.decode()).replace(r"\+", "[+-]").replace("/", "[/_]")
        forms.append(either + "[A-Za-z0-9+/_-]?={0,2}")
    return _compiled("|".join(forms))


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
    return re2.compile(pattern, _options())


def _options() -> Any:
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return options


def _has_form(raw: bytes) -> bool:
    """Whether the text may hold a secret by its form or its name: one search tells that a line holds none."""
    if len(raw) <= _LINE:
        return _line_finder().Match(raw) is not None
    return _finder().search(raw) is not None


@lru_cache(maxsize=1)
def _line_finder() -> Any:
    """A set of one: asked whether, and not where, it costs half. It fails where RE2's memory does not suffice, so long
    texts are not for it."""
    finder = re2.Set.SearchSet(_options())
    finder.Add(_ANY)
    finder.Compile()
    return finder


@lru_cache(maxsize=1)
def _finder() -> Any:
    return _compiled(_ANY.encode())


@lru_cache(maxsize=1)
def _compiled_forms() -> list[tuple[Any, str]]:
    return [(_compiled(form), mask) for form, mask in _FORMS]


@lru_cache(maxsize=1)
def _named() -> Any:
    return _compiled(_NAMED)
