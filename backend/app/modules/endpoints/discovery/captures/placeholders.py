"""Variables of API clients in texts: `{{name}}`, and `:name` and `{{ _.name }}` as they write them too."""

import re
from collections.abc import Mapping

_DEEPEST = 5
"""Variables within values of variables."""
_LONGEST = 100_000
_VARIABLE = re.compile(r"\{\{-?\s*(?:_\.)?([^{}]{1,200}?)\s*-?\}\}")
_NAMED = re.compile(r"(?<=/):([A-Za-z_][A-Za-z0-9_-]*)(?=/|$)")
_UNKNOWN_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?[^/?#]*\{[^/?#]*")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def filled(text: str, variables: Mapping[str, str], name: str | None = None) -> str:
    """The text with the known variables filled in. An unknown one becomes `{name}`, or `name` where that is given."""

    def value(match: re.Match[str]) -> str:
        known = variables.get(match[1])
        if known is not None:
            return known
        if name is not None:
            return name
        return f"{{{_NOT_IN_NAMES.sub('_', match[1].rpartition('.')[2]).strip('_') or 'value'}}}"

    for _ in range(_DEEPEST):
        if "{{" not in text or len(text) > _LONGEST:
            break
        text = _VARIABLE.sub(value, text)
    return text


def without_unknown_host(url: str) -> str:
    """The URL with `{name}` for `:name` in its path; only its path and query when the host is not known."""
    if (match := _UNKNOWN_HOST.match(url)) is not None:
        url = url[match.end() :]
    path, sign, rest = url.partition("?")
    path = _NAMED.sub(r"{\1}", path.partition("#")[0])
    if not path.startswith("/") and "://" not in path:
        # Without a scheme, what stands before the first slash is the host.
        path = f"http://{path}" if "." in path.partition("/")[0] or path.startswith("localhost") else f"/{path}"
    return path + sign + rest
