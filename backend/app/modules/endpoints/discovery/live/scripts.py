"""Requests that scripts of a page would send, by the text of the scripts alone.

A call is known by its shape (`fetch(...)`, `axios.get(...)`, `$.ajax({...})`, `.open("GET", ...)`); another text that
is a path counts as a hint only, to be asked for. What browsers resolve against the page (`fetch("users")`) stays
relative. A part of a template text is a parameter when it is a whole segment;
when it stands at the beginning, it is a prefix that is not known, and the path is marked. So is that of a call of a
client (`client.get("/users")`), which may have been made with a base URL elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

_TEXT: Final = r"""(?<!\\)(?P<{0}>"(?:[^"\\\n]|\\.){{1,300}}"|'(?:[^'\\\n]|\\.){{1,300}}'|`(?:[^`\\]|\\.){{1,300}}`)"""
_OPTIONS: Final = r"""(?:\s*,\s*\{(?P<options>[^;]{0,300}))?"""
_FETCH: Final = re.compile(
    r"\b(?:fetch|ofetch|\$fetch|useFetch|apiFetch|request|ajax)\(\s*" + _TEXT.format("url") + _OPTIONS
)
_VERB: Final = re.compile(
    r"(?P<object>[\w$]{0,40})\.(?P<verb>get|post|put|patch|delete|del|head|getJSON)(?:<[^<>()]{0,80}>)?\(\s*"
    + _TEXT.format("url")
)
_OPEN: Final = re.compile(r"""\.open\(\s*["'](?P<verb>[A-Za-z]{3,7})["']\s*,\s*""" + _TEXT.format("url"))
_CONFIGURED: Final = re.compile(r"\b(?:ajax|axios|fetch|ofetch|\$http|request)\(\s*\{")
_URL: Final = re.compile(r"""\burl["']?\s*:\s*(?=["'`])""")
_OBJECT: Final = re.compile(
    r"""\{[^{}]{0,200}?\b(?:url|path)\s*:\s*"""
    + _TEXT.format("url")
    + r"""[^{}]{0,200}?\bmethod\s*:\s*["'](?P<verb>\w{3,7})["']"""
    r"""|\{[^{}]{0,200}?\bmethod\s*:\s*["'](?P<verb2>\w{3,7})["'][^{}]{0,200}?\b(?:url|path)\s*:\s*"""
    + _TEXT.format("url2")
)
_METHOD: Final = re.compile(r"""\b(?:method|type)["']?\s*:\s*["'](get|post|put|patch|delete|head)["']""", re.I)
_ANY_TEXT: Final = re.compile(_TEXT.format("url"))
_PATH: Final = re.compile(r"/[A-Za-z0-9_.~{}$%-]+(?:/[A-Za-z0-9_.~{}$:@%-]*)*")
_RELATIVE: Final = re.compile(r"(?:\.{1,2}/)*[A-Za-z0-9_][A-Za-z0-9_.~{}$%-]*(?:/[A-Za-z0-9_.~{}$:@%-]*)*")
_HINT: Final = re.compile(r"/(?:api|rest|v[0-9]+|graphql|rpc)(?:/|$)|/[A-Za-z0-9_-]+/[A-Za-z0-9_/{}-]+")
_ASSET: Final = re.compile(
    r"\.(?:js|mjs|css|map|png|jpe?g|gif|svg|ico|woff2?|ttf|eot|html?|webp|wasm|vue|tsx?|jsx)$", re.I
)
_HOLE: Final = re.compile(r"\$\{([^{}]{0,120})\}|\"\s*\+\s*([\w.$\[\]()]{1,80})")
CLIENT_BASE: Final = "the base URL of the client is not known"
_WITHOUT_BASE: Final = frozenset({"$", "jQuery"})
_WHOLE: Final = re.compile(r"/(?:api|rest|v[0-9]+|graphql|rpc)/|https?://")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"})
_MOST: Final = 1_000
_LONGEST_SCRIPT: Final = 4 << 20
_LONGEST_OBJECT: Final = 600


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    """A template; of a URL of another origin, that whole URL. One that begins with no slash is relative to the page."""
    unresolved: str = ""
    """What of the path is not known."""
    hint: bool = False
    """It may as well be something else than a request."""


def calls_in(code: str) -> list[Call]:
    """In the order of the text, each once."""
    found: dict[tuple[str, str], Call] = {}
    hinted: dict[str, Call] = {}
    code = code[:_LONGEST_SCRIPT]
    for method, text, unresolved, relative in _texts(code):
        if len(found) >= _MOST:
            break
        call = _call(method, text, relative=relative)
        if call is not None:
            call = replace(call, unresolved=call.unresolved or ("" if "://" in call.path else unresolved))
            found.setdefault((call.method, call.path), call)
    known = {path for _, path in found}
    for match in _ANY_TEXT.finditer(code):
        if len(hinted) >= _MOST:
            break
        call = _call("GET", match["url"]) if _HINT.match(match["url"], 1) else None
        if call is not None and not call.unresolved and call.path not in known and "://" not in call.path:
            hinted.setdefault(call.path, Call("GET", call.path, hint=True))
    return [*found.values(), *hinted.values()]


def _texts(code: str) -> Iterator[tuple[str, str, str, bool]]:
    """Method, text, why its path may not be whole, and whether the page may be what it is relative to."""
    for match in _FETCH.finditer(code):
        method = _METHOD.search(match["options"] or "")
        text = match["url"] + _rest(code, match.end("url"))
        yield (method[1].upper() if method else "GET"), text, "", not match[0].startswith("request")
    for match in islice(_CONFIGURED.finditer(code), _MOST):
        members = _members(code, match.end())
        url = _URL.search(members)
        text = _ANY_TEXT.match(code, match.end() + url.end()) if url else None
        if text is not None:
            method = _METHOD.search(members)
            yield (method[1].upper() if method else "GET"), text[0] + _rest(code, text.end()), "", True
    for match in _VERB.finditer(code):
        own = match["object"] in _WITHOUT_BASE or _WHOLE.match(match["url"], 1) is not None
        verb = {"del": "DELETE", "getJSON": "GET"}.get(match["verb"], match["verb"].upper())
        text = match["url"] + _rest(code, match.end("url"))
        yield verb, text, "" if own else CLIENT_BASE, match["object"] in _WITHOUT_BASE
    for match in _OPEN.finditer(code):
        yield match["verb"].upper(), match["url"] + _rest(code, match.end("url")), "", True
    for match in _OBJECT.finditer(code):
        yield (match["verb"] or match["verb2"]).upper(), match["url"] or match["url2"], "", False


def _members(code: str, at: int) -> str:
    """Of the object whose brace stands before `at`, with blanks for what stands in brackets within it."""
    out: list[str] = []
    quote, depth = "", 0
    for sign in code[at : at + _LONGEST_OBJECT]:
        if quote:
            quote = "" if sign == quote and out[-1] != "\\" else quote
        elif sign in "\"'`":
            quote = sign
        elif sign in "{[(":
            depth += 1
        elif sign in "}])":
            depth -= 1
            if depth < 0:
                break
        out.append(" " if depth else sign)
    return "".join(out)


def _rest(code: str, at: int) -> str:
    """`+ id + "/orders"` behind a text, as parts of a template."""
    out = []
    for _ in range(8):
        match = re.compile(
            r"""\s*\+\s*(?:(["'])((?:(?!\1)[^\\\n]){0,200})\1|([\w.$]{1,80}(?:\([\w.$]{0,80}\))?))"""
        ).match(code, at)
        if match is None:
            break
        out.append(match[2] if match[1] else f"${{{match[3]}}}")
        at = match.end()
    return "".join(out)


def _call(method: str, quoted: str, *, relative: bool = False) -> Call | None:
    """`quoted` is a text with its quotes, and what was added to it behind them."""
    quote = quoted[0]
    end = quoted.index(quote, 1) if quote != "`" else quoted.rindex("`")
    text = (quoted[1:end] + quoted[end + 1 :]).replace("\\/", "/")
    text = text.partition("?")[0].partition("#")[0]
    if (
        method not in _METHODS
        or _ASSET.search(text)
        or ("${" not in text and any(sign in text for sign in " <>\n,;()|*^"))
    ):
        return None
    unresolved = ""
    if text.startswith("${"):
        hole = _HOLE.match(text)
        if hole is None:
            return None
        unresolved = f"the prefix {hole[1].strip()[:60]} is not known"
        text = text[hole.end() :]
        text = text if text.startswith("/") else f"/{text}"
    path = _templated(text)
    if path is None:
        return None
    if "://" not in path and not _PATH.fullmatch(path) and not (relative and _RELATIVE.fullmatch(path)):
        return None
    return Call(method, path, unresolved)


def _templated(text: str) -> str | None:
    """None where a part of a segment is not known."""
    segments = []
    for segment in _HOLE.sub(lambda hole: f"{{{_name(hole[1] or hole[2] or '')}}}", text).split("/"):
        if "{" in segment and not re.fullmatch(r"\{\w+\}", segment):
            segment = segment.rstrip() if re.fullmatch(r"\{\w+\}\{\w*\}", segment) is None else segment
            # A query that was built elsewhere stands behind the last segment: `/users${query}`.
            literal = re.fullmatch(r"([A-Za-z0-9_.-]+)\{\w+\}", segment)
            if literal is None:
                return None
            segment = literal[1]
        segments.append(segment)
    return "/".join(segments)


def _name(expression: str) -> str:
    """`encodeURIComponent(user.id)` is called `id`."""
    words = re.findall(
        r"[A-Za-z_]\w*", re.sub(r"encodeURI(?:Component)?|toString|String|JSON|stringify", "", expression)
    )
    return words[-1][:40] if words else "value"
