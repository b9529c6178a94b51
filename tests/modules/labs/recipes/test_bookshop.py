import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from backend.app.engine.http import Answer
from backend.app.modules.labs.recipes import recipes
from backend.app.modules.labs.recipes.bookshop import Bookshop, create
from tests.support.asgi import ask


class Shop:
    """A client with the key, and a clock that notes how long the shop wanted to wait."""

    def __init__(self, faulty: bool = True) -> None:
        self.waits: list[float] = []
        self.api: Bookshop = create(seed=1, faulty=faulty, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def ask(self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """With the key, unless `headers` are given."""
        headers = {"Content-Type": "application/json", **(self.api.credentials if headers is None else headers)}
        return ask(self.api, method, target, b"" if body is None else json.dumps(body).encode(), headers)

    def read(self, target: str) -> Any:
        answer = self.ask("GET", target)
        assert answer.status == 200
        return json.loads(answer.body)


BOOK = {"title": "Dust", "author": "A. B.", "genre": "poetry", "published_year": 2024, "price": 9.5}


@pytest.fixture(params=[True, False], ids=["faulty", "correct"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(request.param)


def test_a_book_lives_from_creation_to_deletion(shop: Shop) -> None:
    created = shop.ask("POST", "/books", BOOK)
    assert created.status == 201
    path = f"/books/{json.loads(created.body)['id']}"
    assert shop.read(path) == json.loads(created.body)
    assert shop.ask("PUT", path, {**BOOK, "price": 1}).status == 200
    assert shop.read(path)["price"] == 1
    assert shop.ask("DELETE", path).status == 204
    assert shop.ask("GET", path).status == 404


def test_an_ordered_book_stays(shop: Shop) -> None:
    order = shop.ask("POST", "/orders", {"book_id": 1, "quantity": 2})
    assert order.status == 201
    assert shop.read(f"/orders/{json.loads(order.body)['id']}")["format"] == "paperback"
    assert shop.ask("DELETE", "/books/1").status == 409


def test_books_are_paged_and_filtered(shop: Shop) -> None:
    page = shop.read("/books?limit=5&offset=10")
    assert (len(page["items"]), page["total"], page["pages"]) == (2, 12, 3)
    assert {book["genre"] for book in shop.read("/books?genre=poetry")["items"]} == {"poetry"}


def test_searches_are_found_and_counted(shop: Shop) -> None:
    assert [hit["title"] for hit in shop.read("/search?q=nine+WINTERS")] == ["Nine Winters"]
    shop.read("/search?q=fog")
    shop.read("/search?q=fog")
    assert shop.read("/trending")[0] == {"query": "fog", "count": 2}


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", "/books"), ("PUT", "/books/1"), ("DELETE", "/books/1"), ("GET", "/orders"), ("POST", "/orders")],
)
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "guess"}])
def test_the_key_is_wanted_before_the_input_is_judged(
    shop: Shop, method: str, target: str, headers: dict[str, str]
) -> None:
    answer = shop.ask(method, target, {}, headers)
    assert answer.status == 401
    assert answer.header("www-authenticate") == "ApiKey"


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "/books", {**BOOK, "price": "9"}, 422),
        ("POST", "/books", {**BOOK, "owner": 1}, 422),
        ("POST", "/books", {"title": "Dust"}, 422),
        ("POST", "/books", "not an object", 422),
        ("POST", "/books", {**BOOK, "title": "x" * 70_000}, 422),
        ("POST", "/orders", {"book_id": 1, "quantity": 21}, 422),
        ("POST", "/orders", {"book_id": 999, "quantity": 1}, 404),
        ("GET", "/books?limit=51", None, 422),
        ("GET", "/books?limit=many", None, 422),
        ("GET", "/books?genre=cooking", None, 422),
        ("GET", "/books/first", None, 422),
        ("GET", "/books/0", None, 422),
        ("GET", "/books/99", None, 404),
        ("GET", "/books/", None, 404),
        ("GET", "/search", None, 422),
        ("GET", "/nothing", None, 404),
        ("PATCH", "/books", None, 405),
    ],
)
def test_wrong_input_is_refused_with_a_reason(shop: Shop, method: str, target: str, body: Any, status: int) -> None:
    answer = shop.ask(method, target, body)
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"
    assert json.loads(answer.body)["detail"].endswith(".") or status == 422


def test_a_body_must_be_json(shop: Shop) -> None:
    headers = {**shop.api.credentials, "Content-Type": "text/plain"}
    assert shop.ask("POST", "/books", BOOK, headers).status == 415
    headers["Content-Type"] = "application/json; charset=utf-8"
    assert ask(shop.api, "POST", "/books", b'{"title": ', headers).status == 422
    assert ask(shop.api, "POST", "/books", b"", headers).status == 422


def test_head_answers_like_get_without_a_body(shop: Shop) -> None:
    answer = shop.ask("HEAD", "/books")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("content-length") or 0) > 100


def test_faults_show_in_the_faulty_shop_only() -> None:
    def symptoms(shop: Shop) -> dict[str, object]:
        return {
            "server_error": shop.ask("GET", "/books?limit=0").status,
            "response_schema": [
                number for number in range(1, 13) if isinstance(shop.read(f"/books/{number}")["published_year"], str)
            ],
            "undocumented_status": shop.ask("POST", "/books/1/reviews", {"rating": 5, "text": "!"}).status,
            "content_type": (shop.ask("GET", "/export/books").header("content-type") or "").partition(";")[0],
            "negative_accepted": shop.ask("POST", "/orders", {"book_id": 1, "quantity": -1}).status,
            "missing_auth": shop.ask("GET", "/customers", headers={}).status,
        }

    assert symptoms(Shop(faulty=True)) == {
        "server_error": 500,
        "response_schema": [2, 5],
        "undocumented_status": 202,
        "content_type": "text/html",
        "negative_accepted": 201,
        "missing_auth": 200,
    }
    assert symptoms(Shop(faulty=False)) == {
        "server_error": 422,
        "response_schema": [],
        "undocumented_status": 201,
        "content_type": "text/csv",
        "negative_accepted": 422,
        "missing_auth": 401,
    }


def test_trending_grows_slow_with_the_searches_and_recovers_by_a_reset() -> None:
    slowdown = recipes.get("bookshop").slowdown
    assert slowdown is not None
    shop = Shop()
    shop.read("/trending")
    for _ in range(slowdown.times):
        shop.ask(slowdown.method, slowdown.path, headers={})
    shop.read("/trending")
    shop.api.reset()
    shop.read("/trending")
    before, after, recovered = shop.waits
    assert (before, recovered) == (0, 0)
    assert 0.3 <= after <= 1.5


def test_the_correct_twin_never_waits() -> None:
    shop = Shop(faulty=False)
    shop.read("/trending")
    assert shop.waits == []


def test_reset_brings_back_the_first_state(shop: Shop) -> None:
    first = shop.read("/books")
    shop.ask("POST", "/books", BOOK)
    shop.ask("PUT", "/books/1", BOOK)
    assert shop.read("/books") != first
    shop.api.reset()
    assert shop.read("/books") == first


def test_clients_cannot_fill_the_memory(shop: Shop) -> None:
    for _ in range(520):
        shop.ask("POST", "/books", BOOK)
    assert shop.read("/books")["total"] == 512
    assert shop.ask("GET", "/books/1").status == 200
    assert shop.ask("GET", "/books/13").status == 404


def test_it_starts_and_stops_as_a_server_asks() -> None:
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(create()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
