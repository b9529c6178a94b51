"""`curl` command lines, one after another, as shells and browsers write them; nothing is run."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote_plus

from backend.app.modules.endpoints.discovery.captures.formats import Format, formats
from backend.app.modules.endpoints.discovery.captures.model import Entry, Item, Unusable
from backend.app.modules.endpoints.discovery.captures.source import Source

_COMMAND = re.compile(rb"^(?:\$ |\W{0,3}\s*)?(?:[A-Z_]+=\S+ +)*(?:sudo +|time +)?curl(?:\.exe)?\s", re.M)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_QUOTES = re.compile(r"\$'|\\.|['\"]", re.DOTALL)
_PART = re.compile(
    r"""
      \$'(?P<ansi>(?:[^'\\]|\\.)*+)'
    | '(?P<single>[^']*+)'
    | "(?P<double>(?:[^"\\]|\\.)*+)"
    | \\(?P<escaped>.)
    | (?P<space>\s+)
    | (?P<end>[|;<>])
    | (?P<open>['"])
    | (?P<plain>(?:(?!\$')[^\s'"\\|;<>])+|[\\])
    """,
    re.DOTALL | re.VERBOSE,
)
_MOST_LINES = 10_000
"""Of one command."""
_WITH_VALUE = frozenset(
    {
        "A", "b", "c", "C", "d", "D", "e", "E", "F", "h", "H", "K", "m", "o", "P", "Q", "r", "t", "T", "u", "U",
        "w", "x", "X", "y", "Y", "z", "ciphers", "cacert", "capath", "cert", "cert-type", "config",
        "connect-timeout", "connect-to", "cookie", "cookie-jar", "data", "data-ascii", "data-binary", "data-raw",
        "data-urlencode", "dump-header", "expand-data", "form", "form-string", "header", "interface", "json", "key",
        "key-type", "limit-rate", "local-port", "max-filesize", "max-redirs", "max-time", "noproxy",
        "oauth2-bearer", "output", "output-dir", "pass", "pinnedpubkey", "preproxy", "proto", "proxy",
        "proxy-header", "proxy-user", "range", "rate", "referer", "request", "request-target", "resolve", "retry",
        "retry-delay", "retry-max-time", "socks5", "socks5-hostname", "stderr", "time-cond", "tls-max", "trace",
        "trace-ascii", "unix-socket", "upload-file", "url", "url-query", "user", "user-agent", "variable",
        "write-out",
    }
)  # fmt: skip
_LONG = {
    "X": "request", "H": "header", "d": "data", "F": "form", "u": "user", "b": "cookie", "A": "user-agent",
    "e": "referer", "T": "upload-file", "G": "get", "I": "head",
}  # fmt: skip


def recognise(source: Source) -> bool:
    head = source.head
    return (
        not head.lstrip().startswith((b"{", b"[", b"<", b"meta")) and b"\0" not in head and bool(_COMMAND.search(head))
    )


def read(source: Source) -> Iterator[Item]:
    command: list[str] = []
    first, size, quote = 0, 0, ""
    for number, raw in source.lines():
        if raw is None:
            yield Unusable(f"line {number}", "larger than an entry may be")
            command = []
            continue
        line = raw.decode(errors="replace").rstrip("\r")
        if not command:
            quote = ""
            if not _COMMAND.match(raw):
                if line.strip() and not line.lstrip().startswith("#"):
                    yield Unusable(f"line {number}", "no curl command")
                continue
            first, size = number, 0
        command.append(line)
        quote = _open_quote(line, quote)
        size += len(raw)
        if len(command) > _MOST_LINES or size > source.limits.entry_bytes:
            yield Unusable(f"line {first}", "larger than an entry may be")
            command = []
        elif not quote and not line.endswith(("\\", "^", "`")):
            yield _item(f"line {first}", command)
            command = []
    if command:
        yield _item(f"line {first}", command)


def _open_quote(text: str, quote: str) -> str:
    """The quote that is open behind the text, when `quote` (`'`, `"`, `$'` or none) was open before it."""
    for sign in _QUOTES.findall(text):
        if sign[0] == "\\":
            # Within single quotes a backslash is a sign as any other.
            quote = "" if quote == "'" and sign[1:] == "'" else quote
        elif not quote:
            quote = sign
        elif sign[-1] == quote[-1]:
            quote = ""
    return quote


def _item(where: str, lines: list[str]) -> Item:
    words = _words(re.sub(r"[\\^`]\n", " ", "\n".join(lines)))
    if words is None:
        return Unusable(where, "a quote that is not closed")
    while words and not re.fullmatch(r"curl(?:\.exe)?", words[0]):
        words.pop(0)
    return _entry(where, words[1:])


def _words(text: str) -> list[str] | None:
    """As a shell splits them, up to a pipe or the like; None when a quote is not closed."""
    words: list[str] = []
    word: list[str] = []
    for match in _PART.finditer(text):
        part = match[match.lastgroup or 0]
        match match.lastgroup:
            case "space" | "end":
                if word:
                    words.append("".join(word))
                    word = []
                if match.lastgroup == "end":
                    return words
            case "open":
                return None
            case "ansi":
                word.append(_ansi(part))
            case "double":
                word.append(re.sub(r'\\(["\\$`])', r"\1", part))
            case _:
                word.append(part)
    return [*words, "".join(word)] if word else words


def _ansi(text: str) -> str:
    """What `$'...'` stands for, which Chrome writes."""
    simple = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))",
        lambda match: chr(int(match[1] or match[2], 16)) if match[1] or match[2] else simple.get(match[3], match[3]),
        text,
        flags=re.DOTALL,
    )


def _entry(where: str, words: list[str]) -> Item:
    url, method, as_query = "", "", False
    headers: list[tuple[str, str]] = []
    data: list[str] = []
    forms: list[str] = []
    for name, value in _options(words):
        match name:
            case "" | "url":
                url = url or value
            case "request":
                method = value
            case "header":
                key, _, content = value.partition(":")
                headers.append((key.strip(), content.strip()))
            case "data" | "data-raw" | "data-binary" | "data-ascii":
                data.append(value)
            case "data-urlencode":
                key, sign, content = value.partition("=")
                data.append(f"{key}={quote_plus(content)}" if sign and key else quote_plus(content or key))
            case "json":
                data.append(value)
                headers.append(("Content-Type", "application/json"))
            case "form" | "form-string":
                forms.append(value.partition("=")[0])
            case "user":
                headers.append(("Authorization", "Basic " + base64.b64encode(value.encode(errors="replace")).decode()))
            case "oauth2-bearer":
                headers.append(("Authorization", f"Bearer {value}"))
            case "cookie":
                headers.append(("Cookie", value))
            case "get":
                as_query = True
            case "head":
                method = method or "HEAD"
            case "upload-file":
                method = method or "PUT"
    if not url:
        return Unusable(where, "no URL")
    body, kind = "&".join(data), next((value for key, value in headers if key.lower() == "content-type"), "")
    if as_query and body:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    if body and not kind:
        kind = "application/json" if _is_json(body) else "application/x-www-form-urlencoded"
    if forms:
        body = "".join(f'Content-Disposition: form-data; name="{each}"\r\n\r\n' for each in forms)
        kind = "multipart/form-data"
    return Entry(
        where=where,
        method=method or ("POST" if body else "GET"),
        url=_absolute(url),
        headers=tuple(headers),
        body=body,
        body_type=kind,
    )


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Long names of options with their values; an empty name for what is none. Unknown options take no value."""
    pending = iter(words)
    for word in pending:
        if word.startswith("--") and len(word) > 2:
            name, sign, value = word[2:].partition("=")
            yield name, value if sign else next(pending, "") if name in _WITH_VALUE else ""
        elif word.startswith("-") and len(word) > 1:
            for index, letter in enumerate(word[1:], start=1):
                if letter in _WITH_VALUE:
                    yield _LONG.get(letter, letter), word[index + 1 :] or next(pending, "")
                    break
                yield _LONG.get(letter, letter), ""
        else:
            yield "", word


def _absolute(url: str) -> str:
    """What a shell would put in is a parameter in the path, and an unknown host at the beginning."""
    url = re.sub(r"^(?:https?://)?(?:\$\{?\w+\}?|\{\{[^{}]*\}\})(?::\$?\{?\w+\}?)?(?=/|$)", "", url)
    path, sign, query = url.partition("?")
    path = _VARIABLE.sub(lambda match: f"{{{match[1]}}}", path) or "/"
    if not path.startswith("/") and "://" not in path:
        path = f"http://{path}"
    return path + sign + query


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


formats.register("curl")(Format("Command lines of curl, as shells and browsers write them", recognise, read))
