"""Findings: failures of checks, recognised again from scan to scan, and reproducible on a command line."""

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from backend.app.core.redaction import MASK, Values, redact_phrases, redact_text, redact_values
from backend.app.engine.checks import Failure, Severity
from backend.app.engine.http import Exchange, Request
from backend.app.engine.spec.model import Json

EXCERPT = 1_000
LONGEST_SHOWN_BODY = 4_000
SECRET_NAMES = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"})
"""Headers that are masked whether or not they are known to carry the scan's credentials."""

SECRET_LIKE = re.compile("auth|token|key|secret|cookie|session|passw|credential", re.IGNORECASE)
"""What the name of a header of the user's own holds when its value is most likely a secret."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one operation, as its first occurrence showed it."""

    fingerprint: str
    check: str
    severity: Severity
    method: str
    path: str
    title: str
    detail: str
    curl: str
    evidence: Mapping[str, Json] = field(default_factory=dict)
    case_kind: str = ""
    count: int = 1
    """Requests of the scan that showed it."""
    setup: tuple[str, ...] = ()
    """`curl` lines that made what the request refers to, to be sent before it. An id that the target chose has to be
    replaced in `curl` by the one that it chooses then."""


def fingerprint(check: str, method: str, path: str, subject: str) -> str:
    """16 hexadecimal digits that identify a fault, whatever the values, the seed and the order of the requests were.

    The names of path parameters do not count, so that renaming one does not look like another fault.
    """
    template = re.sub(r"\{[^}]*\}", "{}", path)
    return hashlib.sha256("\n".join((check, method, template, subject)).encode()).hexdigest()[:16]


class Redactor:
    """Takes secrets out of everything that is kept of a scan. `names` are headers, query parameters and cookies that
    carry its credentials, `secrets` their values.

    What we sent loses these, and the secrets that this process read, and nothing else, so that it can be sent again.
    What the target said also loses what looks like a secret of its own.
    """

    def __init__(self, names: Iterable[str] = (), secrets: Iterable[str] = ()) -> None:
        self._names = SECRET_NAMES | {name.lower() for name in names}
        self._values = Values(part for secret in secrets for part in (secret, secret.rpartition(" ")[2]))

    def sent(self, text: str) -> str:
        return redact_values(self._values.mask(text))

    def said(self, text: str) -> str:
        """A sentence about an answer, or a part of one."""
        return redact_phrases(self._values.mask(text))

    def body(self, text: str) -> str:
        """Of an answer."""
        return redact_text(self._values.mask(text))

    def value(self, value: Json) -> Json:
        """JSON with every string in it cleaned as `said`."""
        return _in_strings(self.said, value)

    def header(self, name: str, value: str) -> str:
        if name.lower() not in self._names:
            return self.sent(value)
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {MASK}" if space and scheme.isalpha() else MASK

    def url(self, url: str) -> str:
        base, mark, query = url.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
        shown = [
            f"{name}={MASK}" if name.lower() in self._names else name + equals + item for name, equals, item in pairs
        ]
        return self.sent(base + mark + "&".join(shown))


def _in_strings(clean: Callable[[str], str], value: Json) -> Json:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): _in_strings(clean, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_strings(clean, item) for item in value]
    return value


def curl_line(request: Request, redactor: Redactor) -> str:
    """A shell command that sends the request again; each masked secret is `$TOKEN`, to be exported first."""
    words = ["curl", "-sS", "-i"]
    if request.method == "HEAD":
        words.append("--head")
    elif request.method != "GET" or request.body is not None:
        words += ["-X", shlex.quote(request.method)]
    for name, value in request.headers:
        shown = redactor.header(name, value)
        # curl takes `Name:` for "leave the header out"; a semicolon sends it empty.
        words += ["-H", _quote(f"{name}: {shown}" if shown else f"{name};")]
    if request.body is not None:
        try:
            text = request.body.decode()
        except UnicodeDecodeError:
            text = None
        if text is None or "\0" in text or len(text) > LONGEST_SHOWN_BODY:
            words += ["--data-binary", f"@body.bin # {len(request.body)} bytes, not shown"]
            return " ".join([*words[:-2], _quote(redactor.url(request.url)), *words[-2:]])
        words += ["--data-raw", _quote(redactor.sent(text))]
    # Brackets and braces would be taken for a range by curl.
    if re.search(r"[\[\]{}]", request.url):
        words.append("-g")
    words.append("--path-as-is")
    words.append(_quote(redactor.url(request.url)))
    return " ".join(words)


def _quote(text: str) -> str:
    pieces = [shlex.quote(piece) if piece else "" for piece in text.split(MASK)]
    return '"$TOKEN"'.join(pieces) or "''"


def excerpt(body: bytes | None, redactor: Redactor) -> str:
    """The beginning of a body for a person, secrets masked; binary is only counted."""
    if not body:
        return ""
    text = body[: 4 * EXCERPT].decode(errors="replace")
    if text.count("\ufffd") > 8 or "\0" in text:
        return f"({len(body)} bytes of binary data)"
    # Masked before it is cut: half a secret would not be recognised.
    text = redactor.body(text)
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "..."


def finding_of(
    failure: Failure,
    exchange: Exchange,
    method: str,
    path: str,
    kind: str,
    redactor: Redactor,
    setup: Iterable[Request] = (),
) -> Finding:
    """The finding that one failure makes: `evidence` gets the status and the beginning of the answer."""
    evidence = redactor.value(dict(failure.evidence))
    if exchange.answer is not None:
        evidence["status"] = exchange.answer.status
        if exchange.answer.body:
            evidence["body"] = excerpt(exchange.answer.body, redactor)
    return Finding(
        fingerprint=fingerprint(failure.check, method, path, failure.subject),
        check=failure.check,
        severity=failure.severity,
        method=method,
        path=path,
        title=redactor.said(failure.title),
        detail=redactor.said(failure.detail),
        curl=curl_line(exchange.request, redactor),
        evidence=evidence,
        case_kind=kind,
        setup=tuple(curl_line(request, redactor) for request in setup),
    )
