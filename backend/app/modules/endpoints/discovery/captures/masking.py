"""Keeps the secrets of a capture inside the reader: values that stand under secret names are looked for everywhere
else, and nothing random-looking or named secret is kept as an example."""

import base64
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import unquote_plus, urlsplit

from backend.app.core.redaction import MASK, Values, is_distinctive, is_secret_name, redact_text
from backend.app.engine.http import Headers
from backend.app.engine.spec.model import Json
from backend.app.modules.endpoints.discovery.captures.forms import holds_opaque

_MOST = 4_096
"""Secrets of one capture that are remembered. One that is forgotten is still known by its form."""
_MOST_NAMES = 65_536
_MOST_TEXTS = 200
_PLACEHOLDER = re.compile(r"\{\w+\}")
_LONGEST_SECRET = 10_000
_LONGEST = 60
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}|\+[0-9]{7,15}|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}|-?[0-9]{12,19}")
"""Addresses of mail, telephone numbers (E.164), IBANs (ISO 13616), and numbers as long as those of cards (ISO 7812)."""
_NAMED = re.compile(
    r"(?i)(?:passw(?:or)?d|passphrase|secret|token|api_?key|credential)[\w-]{0,40}"
    r"[\"'\\]{0,4}\s{0,20}[:=>]\s{0,20}[\"'\\]{0,4}(?P<value>[^\"'\\<>&,;\s)]{1,300})"
)
"""In texts of any kind: XML, GraphQL, JSON within JSON."""
PART_NAME = r'(?im)^content-disposition:[^\r\n]{0,300}?[; ]name="([^"\r\n]{1,200})"'
"""Of a part of a form (RFC 7578, 4.2). Bounded, like all that is searched for in what strangers wrote."""
_PART = re.compile(PART_NAME + r"[^\r\n]{0,300}\r\n(?:[^\r\n]{1,1000}\r\n){0,8}\r\n([^\r\n]+)")
_WORDS = re.compile(r"[ ./:_-]?[^\W\d_]+(?:[ ./:_-][^\W\d_]+)*")
"""What is as often a name as it is a secret, under a name that does not tell: `{"key": "softwareupdate"}`."""
_MORE_NAMES = frozenset(
    {"auth", "jwt", "sid", "session", "sessionid", "session_id", "jsessionid", "phpsessid", "sig", "signature", "code",
     "state", "nonce", "key", "csrf", "xsrf", "otp", "pin", "passwd", "assertion", "samlresponse", "samlrequest"}
)  # fmt: skip


@lru_cache(maxsize=65_536)
def is_secret(name: str) -> bool:
    """Of a header, a query parameter or a member of a body."""
    return is_secret_name(name) or name.lower().replace("-", "_").removeprefix("x_") in _MORE_NAMES


class Masker:
    """One for each capture."""

    def __init__(self) -> None:
        self._values = Values(most=_MOST)
        self._learnt: set[str] = set()
        self._short: set[str] = set()
        """Secrets that are too short to be looked for within texts, and are no examples all the same."""
        self._other_names: set[str] = set()
        """Those that are no secret's, so that most objects are passed over in one step."""

    def learn(self, value: str) -> None:
        """Something that stood under a secret name, such as `Bearer abc`."""
        if value in self._learnt:
            return
        if len(self._learnt) >= _MOST // 4:
            self._learnt.clear()  # what still comes is refreshed before it is forgotten
        self._learnt.add(value)
        if len(value) <= _LONGEST_SECRET:
            parts = {value, unquote_plus(value), *value.split()}
            self._add(part for part in parts if _PLACEHOLDER.fullmatch(part) is None)

    def _add(self, values: Iterable[str]) -> None:
        for value in values:
            if is_distinctive(value):
                self._values.add([value])
            elif len(self._short) < _MOST:
                self._short.add(value)

    def learn_basic(self, value: str) -> None:
        """The password in `Basic dXNlcjpwYXNz` (RFC 7617)."""
        try:
            self._add([base64.b64decode(value.split()[-1], validate=True).decode().partition(":")[2]])
        except (ValueError, IndexError):
            return

    def learn_members(self, node: Mapping[str, Json]) -> None:
        """Of one object, without what is nested in it."""
        if self._other_names.issuperset(node):
            return
        for name, value in node.items():
            if is_secret(name):
                self._learn_texts(value, deep=is_secret_name(name))
            elif len(self._other_names) < _MOST_NAMES:
                self._other_names.add(name)

    def _learn_texts(self, value: Json, *, deep: bool) -> None:
        pending = [value]
        for _ in range(_MOST_TEXTS):
            if not pending:
                return
            node = pending.pop()
            if isinstance(node, str):
                if deep or _WORDS.fullmatch(node) is None:
                    self.learn(node)
            elif isinstance(node, int) and not isinstance(node, bool):
                self.learn(str(node))
            elif deep and isinstance(node, dict):
                pending += node.values()
            elif deep and isinstance(node, list):
                pending += node

    def learn_fields(self, fields: str) -> None:
        """Of a query, a fragment or a form."""
        for each in fields.split("&")[:_MOST_TEXTS]:
            name, _, value = each.partition("=")
            if value and is_secret(unquote_plus(name)):
                self.learn(value)

    def learn_text(self, text: str) -> None:
        """What stands behind a secret name, in a text of any kind."""
        for match in _NAMED.finditer(text):
            self.learn(match["value"])
        for name, value in _PART.findall(text):
            if is_secret(name):
                self.learn(value)

    def learn_headers(self, headers: Headers) -> None:
        for name, value in headers:
            if name.lower() == "location":
                url = urlsplit(value)
                self.learn_fields(url.query)
                self.learn_fields(url.fragment)
            if not is_secret(name):
                continue
            self.learn(value)
            if value[:6].lower() == "basic ":
                self.learn_basic(value)
            elif "cookie" in name.lower():
                for each in value.split(";"):
                    cookie, _, text = each.strip().partition("=")
                    if is_secret(cookie) or _WORDS.fullmatch(text) is None:
                        self.learn(text)

    def is_harmless(self, text: str) -> bool:
        """Whether the text may be kept as a name or an example."""
        return (
            len(text) <= _LONGEST
            and text.isprintable()
            and not holds_opaque(text)
            and _PERSONAL.fullmatch(text) is None
            and text not in self._short
            and self.is_clean(text)
        )

    def is_clean(self, text: str) -> bool:
        return MASK not in text and self.mask(text) == text

    def mask(self, text: str) -> str:
        return redact_text(self._values.mask(text))
