"""Servers as plain functions from request to answer, each as a real framework answers, for `Web(otherwise=...)`."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import orjson

from backend.app.engine.http import Answer, Request

Routes: TypeAlias = Mapping[str, str]
"""`GET /users/{id}` and what the handler says: `200 {"id": 1}`, `404 {"error": "no such user"}`."""
Style: TypeAlias = Literal["starlette", "flask", "express", "fastify", "django"]
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html"),)


def router(style: Style, routes: Routes) -> Callable[[Request], Answer]:
    compiled = [(*key.split(" "), said) for key, said in routes.items()]

    def answer(request: Request) -> Answer:
        path = urlsplit(request.url).path or "/"
        fitting = [(method, said) for method, template, said in compiled if _fits(template, path)]
        methods = [method for method, _ in fitting]
        if request.method in methods:
            return _said(dict(reversed(fitting))[request.method])
        if not fitting:
            return _unknown(style, request.method, path)
        if style == "starlette":
            return Answer(405, (*JSON, ("Allow", methods[0])), b'{"detail":"Method Not Allowed"}')
        if style == "flask":
            allow = ("Allow", ", ".join(sorted({*methods, "OPTIONS"})))
            return Answer(200 if request.method == "OPTIONS" else 405, (*HTML, allow))
        if style == "express" and request.method == "OPTIONS":
            return Answer(200, (*HTML, ("Allow", ",".join(methods))), ",".join(methods).encode())
        if style == "django":
            # A view answers OPTIONS as it answers GET, a missing thing with the page of a missing route.
            return _said(fitting[0][1])
        return _unknown(style, request.method, path)

    return answer


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^{}]*\}", "[^/]+", template), path) is not None


def _said(text: str) -> Answer:
    status, _, body = text.partition(" ")
    return Answer(int(status), HTML if body.startswith("<") else JSON, body.encode())


def _unknown(style: Style, method: str, path: str) -> Answer:
    match style:
        case "starlette":
            return Answer(404, JSON, b'{"detail":"Not Found"}')
        case "flask":
            return Answer(404, HTML, b"<h1>Not Found</h1><p>The requested URL was not found on the server.</p>")
        case "express":
            return Answer(404, HTML, f"<pre>Cannot {method} {path}</pre>".encode())
        case "fastify":
            body = {"message": f"Route {method}:{path} not found", "error": "Not Found", "statusCode": 404}
            return Answer(404, JSON, orjson.dumps(body))
        case "django":
            return Answer(404, HTML, DJANGO_404.encode())


DJANGO_404 = "<h1>Not Found</h1><p>The requested resource was not found on this server.</p>"
