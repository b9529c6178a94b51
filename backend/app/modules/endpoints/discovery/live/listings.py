"""Routes that a server lists itself: `/actuator/mappings` of Spring Boot, `/wp-json/` of WordPress."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPMethod
from typing import Any, Final

import orjson

from backend.app.engine.http import Answer

_MOST: Final = 5_000
_METHODS: Final = frozenset(HTTPMethod) - {HTTPMethod.CONNECT, HTTPMethod.TRACE, HTTPMethod.HEAD, HTTPMethod.OPTIONS}
_NAMED_GROUP: Final = re.compile(r"\(\?P<(\w+)>(?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)")
_CONSTRAINED: Final = re.compile(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_PLAIN: Final = re.compile(r"/(?:[^\s*?()\\^|\[\]+{}]|\{\w+\})*")


def listed_in(answer: Answer, path: str) -> list[tuple[str, str]]:
    """Method and template of each route, in order of templates. What is no such list lists nothing."""
    try:
        value = orjson.loads(answer.body)
    except ValueError:
        return []
    if not isinstance(value, dict):
        return []
    found: dict[tuple[str, str], None] = {}
    if path.rstrip("/").endswith("/actuator/mappings"):
        pairs = _of_spring(value)
    elif path.rstrip("/").endswith("/wp-json") and "namespaces" in value:
        pairs = _of_wordpress(value, path.rstrip("/"))
    else:
        return []
    for method, template in pairs:
        if len(found) < _MOST and method in _METHODS and _PLAIN.fullmatch(template) is not None:
            found[method, template] = None
    return sorted(found, key=lambda each: each[::-1])


def _of_spring(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Spring Boot, Actuator API, "Mappings": of servlets (`dispatcherServlets`) and of WebFlux (`dispatcherHandlers`).
    A mapping without methods takes any and is left out."""
    for node in _nodes(value):
        conditions = node.get("requestMappingConditions")
        if isinstance(conditions, dict):
            for pattern in _texts(conditions.get("patterns")):
                for method in _texts(conditions.get("methods")):
                    yield method, _CONSTRAINED.sub(r"{\1}", pattern)


def _of_wordpress(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """WordPress, REST API Handbook, "Discovery"."""
    routes = value.get("routes")
    for pattern, route in routes.items() if isinstance(routes, dict) else ():
        template = prefix + (_NAMED_GROUP.sub(r"{\1}", pattern) if pattern != "/" else "/")
        for method in _texts(route.get("methods")) if isinstance(route, dict) else ():
            yield method, template


def _nodes(value: object) -> Iterator[Mapping[str, Any]]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
