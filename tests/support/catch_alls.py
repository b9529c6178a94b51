"""Servers that have no endpoint, and answer in ways that look as if they had."""

import itertools
from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import urlsplit

import orjson

from backend.app.engine.http import Answer, Request
from tests.support.routers import HTML, JSON


def _path(request: Request) -> str:
    return urlsplit(request.url).path or "/"


def _html(request: Request) -> Answer:
    links = "".join(f'<a href="/{each}">{each}</a>' for each in ("users", "api/orders", "about", "health"))
    return Answer(200, HTML, f"<html><title>Welcome</title>{links}<p>One page for all of it.</p></html>".encode())


def _json(request: Request) -> Answer:
    return Answer(200, JSON, b'{"status": "ok", "links": {"next": "/api/users?page=2"}}')


def _echo(request: Request) -> Answer:
    path = _path(request)
    parts = [each for each in path.split("/") if each]
    return Answer(
        200, JSON, orjson.dumps({"path": path, "parts": parts, "message": f"You asked for {path}", "url": "/api/me"})
    )


def _soft_404(request: Request) -> Answer:
    words = " ".join(["Sorry", "this", "page", "could", "not", "be", "found"] * 3)
    return Answer(200, HTML, f"<html><p>{_path(request)}</p><p>{words}</p><a href='/home'>home</a></html>".encode())


def _below_a_prefix(request: Request) -> Answer:
    if _path(request).startswith("/api"):
        return Answer(200, JSON, b'{"data": [], "meta": {"page": 1}}')
    if _path(request) == "/":
        return Answer(200, HTML, b'<a href="/api/users">users</a><a href="/api">api</a>')
    return Answer(404, HTML, b"nothing here")


def _random_body() -> Callable[[Request], Answer]:
    numbers = itertools.count()

    def answer(request: Request) -> Answer:
        digest = sha256(str(next(numbers)).encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
        words = " ".join(digest[at : at + 5] for at in range(0, 60, 5))
        return Answer(200, HTML, f"<html><a href='/{digest[:6]}'>{words}</a></html>".encode())

    return answer


def _login(request: Request) -> Answer:
    return Answer(302, (("Location", f"/login?next={_path(request)}"),))


def _to_https(request: Request) -> Answer:
    return Answer(301, (("Location", f"https://www.api.test{_path(request)}"),))


def _deeper(request: Request) -> Answer:
    return Answer(301, (("Location", f"{_path(request).rstrip('/')}/en/"),))


def _wall(request: Request) -> Answer:
    return Answer(401, (*JSON, ("WWW-Authenticate", "Bearer")), b'{"detail": "Not authenticated"}')


def _any_options(request: Request) -> Answer:
    """A proxy that answers preflights, and lets methods of its own through."""
    if request.method == "OPTIONS":
        return Answer(204, (("Allow", "GET, POST, PUT, DELETE"), ("Access-Control-Allow-Methods", "*")))
    return Answer(405, (*HTML, ("Allow", "POST")), b"method not allowed")


CATCH_ALLS: Mapping[str, Callable[[], Callable[[Request], Answer]]] = {
    "html": lambda: _html,
    "json": lambda: _json,
    "echo": lambda: _echo,
    "soft 404": lambda: _soft_404,
    "below a prefix": lambda: _below_a_prefix,
    "random body": _random_body,
    "login": lambda: _login,
    "to https": lambda: _to_https,
    "ever deeper": lambda: _deeper,
    "wall": lambda: _wall,
    "any options": lambda: _any_options,
    "failing": lambda: lambda request: Answer(503, HTML, b"upstream"),
}
