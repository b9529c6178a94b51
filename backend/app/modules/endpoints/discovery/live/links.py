"""What an answer links to: HTML, JSON and headers, as plain values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

import orjson

from backend.app.engine.http import Answer

_LONGEST_PAGE: Final = 4 << 20
_MOST_LINKS: Final = 2_000
"""Of one answer."""
_MOST_NODES: Final = 50_000
_LINKS_OF_PAGES: Final = frozenset(
    {
        "alternate",
        "next",
        "prev",
        "first",
        "last",
        "up",
        "self",
        "search",
        "item",
        "collection",
        "service",
        "service-desc",
        "service-doc",
        "related",
        "canonical",
        "edit",
        "help",
        "contents",
    }
)
"""Relations of `<link>` that lead to something to read, and not to what a page is drawn with."""
_HTMX: Final = re.compile(r"(?:data-)?hx-(get|post|put|patch|delete)")
_LINK_VALUE: Final = re.compile(r"<([^<>]{1,2000})>")
_JSON_NAMES: Final = re.compile(
    r"(?:.*_)?(?:url|uri|href|link|path|endpoint)s?|.*(?:Url|Uri|URL|URI|Href|Link)s?|@id|@odata\.nextLink|next|previous|prev"
    r"|first|last|self|_?links"
)
_LOOKS_LIKE_LINK: Final = re.compile(r"(?:https?:)?//[^\s<>\"{}]+|/[^\s<>\"{}]*")
_WITH_QUERY_TEMPLATE: Final = re.compile(r"\{[?&#][^{}]*\}")


FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """`action` is absolute."""

    method: str
    action: str
    fields: tuple[tuple[str, str], ...]
    content_type: str = FORM

    @property
    def url(self) -> str:
        """Of a form that is sent with GET."""
        return f"{self.action.partition('?')[0]}?{urlencode(self.fields)}" if self.fields else self.action


@dataclass(frozen=True, slots=True)
class Links:
    pages: tuple[str, ...] = ()
    """Absolute URLs, without fragments, in order."""
    scripts: tuple[str, ...] = ()
    forms: tuple[Form, ...] = ()
    code: str = ""
    """Scripts within the page."""
    base: str = ""
    """The URL that references within the page are relative to."""


def links_of(answer: Answer, url: str) -> Links:
    """Whatever the media type says of itself: pages are told by it, JSON also by how it begins."""
    kind = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    body = answer.body[:_LONGEST_PAGE]
    found = list(_in_headers(answer))
    if "javascript" in kind:
        return Links(_absolute(url, found), code=body.decode(errors="replace"))
    if "html" in kind or (not kind and body.lstrip()[:1] == b"<"):
        page = _Page(url)
        page.feed(body.decode(errors="replace"))
        return Links(
            _absolute(page.base, [*found, *page.links]), _absolute(page.base, page.scripts), tuple(page.forms),
            "\n".join(page.code), page.base,
        )  # fmt: skip
    if "json" in kind or body.lstrip()[:1] in (b"{", b"["):
        found += _in_json(body)
    return Links(_absolute(url, found))


def _in_headers(answer: Answer) -> Iterator[str]:
    """RFC 8288, RFC 9110 (10.2.2, 8.7)."""
    for name, value in answer.headers:
        if name.lower() == "link":
            yield from _LINK_VALUE.findall(value)
        elif name.lower() in ("location", "content-location"):
            yield value


def _in_json(body: bytes) -> list[str]:
    """Texts under names of links that look like links; in `_links` (HAL) and `links` (JSON:API) whatever the name."""
    try:
        pending = [(orjson.loads(body), "")]
    except ValueError:
        return []
    found: list[str] = []
    nodes = 0
    while pending and nodes < _MOST_NODES and len(found) < _MOST_LINKS:
        value, name = pending.pop()
        nodes += 1
        if isinstance(value, dict):
            within = name in ("_links", "links")
            pending += [
                (each, "href" if within and isinstance(each, str) else key) for key, each in reversed(value.items())
            ]
        elif isinstance(value, list):
            pending += [(each, name) for each in reversed(value)]
        elif isinstance(value, str) and _JSON_NAMES.fullmatch(name) and _LOOKS_LIKE_LINK.match(value):
            found.append(_WITH_QUERY_TEMPLATE.sub("", value))
    return found


def _absolute(base: str, references: list[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for each in references[:_MOST_LINKS]:
        try:
            url = urljoin(base, each.strip().replace("\\", "/"))
            parts = urlsplit(url)
        except ValueError:
            continue
        if (
            parts.scheme in ("http", "https")
            and parts.netloc
            and "{" not in parts.path
            and "%7B" not in parts.path.upper()
        ):
            found[parts._replace(fragment="", path=parts.path or "/").geturl()] = None
    return tuple(found)


class _Page(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.base = url
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.forms: list[Form] = []
        self.code: list[str] = []
        self._form: tuple[str, str, str, list[tuple[str, str]]] | None = None
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            if (match := _HTMX.fullmatch(name)) is not None and value:
                self._htmx(match[1].upper(), value)
        match tag:
            case "base":
                self.base = _join(self.base, given.get("href", ""))
            case "form":
                self._form = given.get("method", "get").upper(), given.get("action", ""), given.get("enctype", ""), []
            case "input" | "select" | "textarea" if self._form is not None and given.get("name"):
                if given.get("type", "").lower() not in ("submit", "button", "image", "reset", "file", "password"):
                    self._form[3].append((given["name"], given.get("value", "")))
                elif given["type"].lower() in ("file", "password"):
                    self._form[3].append((given["name"], ""))
            case "script":
                self._in_script = not given.get("src")
                self.scripts += [given["src"]] if given.get("src") else []
            case "link":
                relations = set(given.get("rel", "").lower().split())
                if relations & {"modulepreload"} or (
                    relations & {"preload", "prefetch"} and given.get("as") == "script"
                ):
                    self.scripts.append(given.get("href", ""))
                elif relations & _LINKS_OF_PAGES:
                    self.links.append(given.get("href", ""))
            case "a" | "area" if given.get("href"):
                self.links.append(given["href"])
            case "iframe" | "frame" if given.get("src"):
                self.links.append(given["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            method, action, enctype, fields = self._form
            target = _join(self.base, action)
            if urlsplit(target).scheme in ("http", "https"):
                self.forms.append(Form(method, target, tuple(fields), enctype or FORM))
            self._form = None
        elif tag == "script":
            self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.code.append(data)

    def _htmx(self, method: str, value: str) -> None:
        if method == "GET":
            self.links.append(value)
        else:
            self.forms.append(Form(method, _join(self.base, value), ()))


def _join(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return base


def is_same_origin(url: str, base_url: str) -> bool:
    return _origin(url) == _origin(base_url)


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
