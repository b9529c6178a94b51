"""A bookshop: books, reviews, orders, customers, and a search whose log makes "trending" slow."""

import asyncio
import copy
import csv
import io
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeAlias

from backend.app.modules.labs.lab_api import Call, Document, Json, LabApi, Refusal, Reply
from backend.app.modules.labs.recipes import PlantedFault, Recipe, Slowdown, recipes

Sleep: TypeAlias = Callable[[float], Awaitable[object]]
Row: TypeAlias = dict[str, Any]

GENRES = ["adventure", "essay", "fantasy", "history", "poetry", "science"]
FORMATS = ["paperback", "hardcover", "ebook"]

SEEDED_BOOKS = [
    ("The Salt Road", "Ines Aldara", "adventure", 1994),
    ("Letters to a Lighthouse", "Tomas Wren", "essay", 1851),
    ("A Field Guide to Fog", "Mirela Stoica", "science", 2011),
    ("Nine Winters", "Oskar Lind", "history", 2003),
    ("The Clockmaker's Orchard", "Hana Mori", "fantasy", 1788),
    ("Small Hours", "Beatriz Couto", "poetry", 2019),
    ("Cartographers of the Deep", "Jonas Abel", "adventure", 1986),
    ("On Mending", "Leila Haddad", "essay", 2020),
    ("The Glass Meridian", "Pavel Novak", "science", 1979),
    ("A Kingdom of Moths", "Sunniva Dahl", "fantasy", 2015),
    ("What the River Kept", "Amara Okoye", "history", 1998),
    ("Lanterns", "Wei Zhang", "poetry", 2008),
]
IMPORTED_BEFORE = 1900
"""Older books came from a card catalogue, where a year is text."""

MAX_CREATED = 500
"""Rows that clients may add to a table; the oldest of theirs go first, so that a lab never outgrows its process."""

CACHED_SEARCHES = 500
"""Log entries that "trending" reads from memory; every further one costs a look-up."""
SECONDS_PER_LOOKUP = 0.001
MAX_DELAY_S = 1.5
MAX_LOG = 10_000


def ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def object_schema(properties: Document, **more: Json) -> Document:
    """An object whose properties are all required, except those named in `optional`."""
    optional = more.pop("optional", ())
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties, **more}


BOOK_FIELDS: Document = {
    "title": {"type": "string", "minLength": 1, "maxLength": 120},
    "author": {"type": "string", "minLength": 1, "maxLength": 80},
    "genre": {"type": "string", "enum": GENRES},
    "published_year": {"type": "integer", "minimum": 1450, "maximum": 2100},
    "price": {"type": "number", "minimum": 0, "maximum": 10000},
}
EXAMPLE_BOOK = {
    "title": "The Quiet Tide",
    "author": "Nora Velde",
    "genre": "adventure",
    "published_year": 2021,
    "price": 14.5,
}
BOOK_ID = {"type": "integer", "minimum": 1}

SCHEMAS: Document = {
    "BookInput": object_schema(BOOK_FIELDS, additionalProperties=False, examples=[EXAMPLE_BOOK]),
    "Book": object_schema({"id": BOOK_ID, **BOOK_FIELDS}),
    "BookPage": object_schema(
        {
            "items": {"type": "array", "items": ref("Book")},
            "total": {"type": "integer", "minimum": 0},
            "pages": {"type": "integer", "minimum": 0},
        }
    ),
    "Hit": object_schema({"id": BOOK_ID, "title": {"type": "string"}, "author": {"type": "string"}}),
    "Trend": object_schema({"query": {"type": "string"}, "count": {"type": "integer", "minimum": 1}}),
    "ReviewInput": object_schema(
        {
            "rating": {"type": "integer", "minimum": 1, "maximum": 5},
            "text": {"type": "string", "minLength": 1, "maxLength": 500},
        },
        additionalProperties=False,
        examples=[{"rating": 4, "text": "Read it in one evening."}],
    ),
    "Review": object_schema(
        {"id": {"type": "integer"}, "book_id": BOOK_ID, "rating": {"type": "integer"}, "text": {"type": "string"}}
    ),
    "OrderInput": object_schema(
        {
            "book_id": BOOK_ID,
            "quantity": {"type": "integer", "minimum": 1, "maximum": 20},
            "format": {"type": "string", "enum": FORMATS, "default": "paperback"},
        },
        optional=("format",),
        additionalProperties=False,
        examples=[{"book_id": 1, "quantity": 2, "format": "hardcover"}],
    ),
    "Order": object_schema(
        {
            "id": {"type": "integer", "minimum": 1},
            "book_id": BOOK_ID,
            "quantity": {"type": "integer"},
            "format": {"type": "string", "enum": FORMATS},
            "total": {"type": "number"},
            "status": {"type": "string", "enum": ["placed", "shipped"]},
        }
    ),
    "Customer": object_schema({"id": {"type": "integer"}, "name": {"type": "string"}, "email": {"type": "string"}}),
}


def list_of(name: str) -> Document:
    return {"type": "array", "items": ref(name)}


def answers(description: str, schema: Document, content_type: str = "application/json") -> Document:
    return {"description": description, "content": {content_type: {"schema": schema}}}


def describe(
    operation_id: str,
    summary: str,
    success: tuple[int, Document],
    *problems: int,
    parameters: tuple[Document, ...] = (),
    body: str = "",
    secured: bool = False,
) -> Document:
    """An operation object. Problems follow from the input: 422 for parameters, 415 and 422 for a body, 401 for
    `secured`; others are named."""
    statuses = {*problems, *((422,) if parameters else ()), *((415, 422) if body else ()), *((401,) if secured else ())}
    reasons = {
        401: "No valid key.",
        404: "There is no such thing.",
        409: "It is in use.",
        415: "The body is not application/json.",
        422: "The input is not valid.",
    }
    document: dict[str, Json] = {
        "operationId": operation_id,
        "summary": summary,
        "responses": {
            str(success[0]): success[1],
            **{
                str(status): answers(reasons[status], ref("Problem"), "application/problem+json")
                for status in sorted(statuses)
            },
        },
    }
    if parameters:
        document["parameters"] = list(parameters)
    if body:
        document["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    if secured:
        document["security"] = [{"apiKey": []}]
    return document


def in_path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}, "example": 1}


def in_query(name: str, schema: Document, required: bool = False, **more: Json) -> Document:
    return {"name": name, "in": "query", "required": required, "schema": schema, **more}


NO_CONTENT: Document = {"description": "Done."}

LIST_BOOKS = describe(
    "listBooks",
    "The catalogue, page by page",
    (200, answers("One page.", ref("BookPage"))),
    parameters=(
        in_query("limit", {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}),
        in_query("offset", {"type": "integer", "minimum": 0, "maximum": 100000, "default": 0}),
        in_query("genre", {"type": "string", "enum": GENRES}),
    ),
)
CREATE_BOOK = describe(
    "createBook", "Add a book", (201, answers("The book.", ref("Book"))), body="BookInput", secured=True
)
READ_BOOK = describe(
    "readBook", "One book", (200, answers("The book.", ref("Book"))), 404, parameters=(in_path("book_id"),)
)
REPLACE_BOOK = describe(
    "replaceBook",
    "Replace a book",
    (200, answers("The book.", ref("Book"))),
    404,
    parameters=(in_path("book_id"),),
    body="BookInput",
    secured=True,
)
DELETE_BOOK = describe(
    "deleteBook",
    "Delete a book that nobody ordered",
    (204, NO_CONTENT),
    404,
    409,
    parameters=(in_path("book_id"),),
    secured=True,
)
LIST_REVIEWS = describe(
    "listReviews",
    "What readers say about a book",
    (200, answers("The latest reviews.", list_of("Review"))),
    404,
    parameters=(in_path("book_id"),),
)
CREATE_REVIEW = describe(
    "createReview",
    "Review a book",
    (201, answers("The review.", ref("Review"))),
    404,
    parameters=(in_path("book_id"),),
    body="ReviewInput",
)
SEARCH = describe(
    "search",
    "Books by words of title or author",
    (200, answers("At most ten books.", list_of("Hit"))),
    parameters=(in_query("q", {"type": "string", "minLength": 1, "maxLength": 80}, required=True, example="winter"),),
)
TRENDING = describe("trending", "What people search for", (200, answers("At most ten.", list_of("Trend"))))
LIST_ORDERS = describe(
    "listOrders",
    "The latest orders",
    (200, answers("At most fifty.", list_of("Order"))),
    parameters=(in_query("status", {"type": "string", "enum": ["placed", "shipped"]}),),
    secured=True,
)
CREATE_ORDER = describe(
    "createOrder", "Order a book", (201, answers("The order.", ref("Order"))), 404, body="OrderInput", secured=True
)
READ_ORDER = describe(
    "readOrder",
    "One order",
    (200, answers("The order.", ref("Order"))),
    404,
    parameters=(in_path("order_id"),),
    secured=True,
)
LIST_CUSTOMERS = describe(
    "listCustomers", "Who buys here", (200, answers("All of them.", list_of("Customer"))), secured=True
)
EXPORT_BOOKS = describe(
    "exportBooks", "The catalogue as a table", (200, answers("CSV with a header.", {"type": "string"}, "text/csv"))
)


class Table:
    """Rows by id. Rows that clients add are limited to `MAX_CREATED`; the seeded ones stay."""

    def __init__(self, seeded: list[Row]) -> None:
        self.rows = {number: {"id": number, **row} for number, row in enumerate(seeded, 1)}
        self.seeded = len(seeded)
        self._last = len(seeded)

    def add(self, row: Row) -> Row:
        self._last += 1
        self.rows[self._last] = {"id": self._last, **row}
        if len(self.rows) > self.seeded + MAX_CREATED:
            del self.rows[next(number for number in self.rows if number > self.seeded)]
        return self.rows[self._last]

    def get(self, number: int) -> Row:
        try:
            return self.rows[number]
        except KeyError:
            raise Refusal(404, f"There is no number {number}.") from None


class Bookshop(LabApi):
    """`sleep` is what "trending" waits with. The seed decides the prices and the key."""

    def __init__(self, seed: int, faulty: bool, sleep: Sleep) -> None:
        info = {
            "title": "Bookshop",
            "version": "1.0.0",
            "description": "A small bookshop. Reading the catalogue is free; the rest wants a key.",
        }
        super().__init__(info, SCHEMAS, f"bookshop-{Random(seed).getrandbits(64):016x}")
        self._seed = seed
        self._faulty = faulty
        self._sleep = sleep
        self.reset()
        self._add_operations()

    def reset(self) -> None:
        rng = Random(self._seed)
        columns = ("title", "author", "genre", "published_year")
        self._books = Table([dict(zip(columns, book, strict=True)) for book in SEEDED_BOOKS])
        for book in self._books.rows.values():
            book["price"] = rng.randrange(600, 4000) / 100
            if self._faulty and book["published_year"] < IMPORTED_BEFORE:
                book["published_year"] = f"c. {book['published_year']}"
        self._reviews = Table(
            [{"book_id": number, "rating": rng.randint(2, 5), "text": "Worth the shelf."} for number in (1, 1, 3)]
        )
        self._orders = Table([self._order(1 + number, 1, FORMATS[number]) | {"status": "shipped"} for number in (0, 1)])
        self._customers = [
            {"id": number, "name": author, "email": f"reader{number}@example.com"}
            for number, (_, author, _, _) in enumerate(SEEDED_BOOKS[:4], 1)
        ]
        self._searches: list[str] = []

    def _add_operations(self) -> None:
        self.operation("GET", "/books", LIST_BOOKS, self._enforced_listing())(self._list_books)
        self.operation("POST", "/books", CREATE_BOOK)(self._create_book)
        self.operation("GET", "/books/{book_id}", READ_BOOK)(self._read_book)
        self.operation("PUT", "/books/{book_id}", REPLACE_BOOK)(self._replace_book)
        self.operation("DELETE", "/books/{book_id}", DELETE_BOOK)(self._delete_book)
        self.operation("GET", "/books/{book_id}/reviews", LIST_REVIEWS)(self._list_reviews)
        self.operation("POST", "/books/{book_id}/reviews", CREATE_REVIEW)(self._create_review)
        self.operation("GET", "/search", SEARCH)(self._search)
        self.operation("GET", "/trending", TRENDING)(self._trending)
        self.operation("GET", "/orders", LIST_ORDERS)(self._list_orders)
        self.operation("POST", "/orders", CREATE_ORDER, self._enforced_ordering())(self._create_order)
        self.operation("GET", "/orders/{order_id}", READ_ORDER)(self._read_order)
        self.operation("GET", "/customers", LIST_CUSTOMERS, self._enforced_customers())(self._list_customers)
        self.operation("GET", "/export/books", EXPORT_BOOKS)(self._export_books)

    def _enforced_listing(self) -> Document:
        rules = copy.deepcopy(dict(LIST_BOOKS))
        if self._faulty:
            rules["parameters"][0]["schema"]["minimum"] = 0
        return rules

    def _enforced_ordering(self) -> Document:
        rules = copy.deepcopy(dict(CREATE_ORDER))
        if self._faulty:
            schema = copy.deepcopy(dict(SCHEMAS["OrderInput"]))
            del schema["properties"]["quantity"]["minimum"]
            rules["requestBody"]["content"]["application/json"]["schema"] = schema
        return rules

    def _enforced_customers(self) -> Document:
        return {**LIST_CUSTOMERS, "security": [] if self._faulty else LIST_CUSTOMERS["security"]}

    async def _list_books(self, call: Call) -> Reply:
        genre, limit, offset = call.query["genre"], call.query["limit"], call.query["offset"]
        books = [book for book in self._books.rows.values() if genre in (None, book["genre"])]
        page = {"items": books[offset : offset + limit], "total": len(books), "pages": -(-len(books) // limit)}
        return Reply(200, page)

    async def _create_book(self, call: Call) -> Reply:
        return Reply(201, self._books.add(call.body))

    async def _read_book(self, call: Call) -> Reply:
        return Reply(200, self._books.get(call.path["book_id"]))

    async def _replace_book(self, call: Call) -> Reply:
        book = self._books.get(call.path["book_id"])
        book.update(call.body)
        return Reply(200, book)

    async def _delete_book(self, call: Call) -> Reply:
        number = self._books.get(call.path["book_id"])["id"]
        if number <= self._books.seeded or any(order["book_id"] == number for order in self._orders.rows.values()):
            raise Refusal(409, "The book has been ordered.")
        del self._books.rows[number]
        return Reply(204)

    async def _list_reviews(self, call: Call) -> Reply:
        number = self._books.get(call.path["book_id"])["id"]
        return Reply(200, [review for review in self._reviews.rows.values() if review["book_id"] == number][-20:])

    async def _create_review(self, call: Call) -> Reply:
        number = self._books.get(call.path["book_id"])["id"]
        review = self._reviews.add({"book_id": number, **call.body})
        return Reply(202 if self._faulty else 201, review)

    async def _search(self, call: Call) -> Reply:
        words = re.findall(r"\w+", call.query["q"].lower())
        self._searches.append(" ".join(words))
        del self._searches[:-MAX_LOG]
        books = self._books.rows.values()
        hits = [book for book in books if all(word in f"{book['title']} {book['author']}".lower() for word in words)]
        return Reply(200, [{name: book[name] for name in ("id", "title", "author")} for book in hits[:10]])

    async def _trending(self, call: Call) -> Reply:
        if self._faulty:
            lookups = max(0, len(self._searches) - CACHED_SEARCHES)
            await self._sleep(min(lookups * SECONDS_PER_LOOKUP, MAX_DELAY_S))
        trends = Counter(self._searches).most_common(10)
        return Reply(200, [{"query": query, "count": count} for query, count in trends])

    async def _list_orders(self, call: Call) -> Reply:
        status = call.query["status"]
        return Reply(200, [order for order in self._orders.rows.values() if status in (None, order["status"])][-50:])

    async def _create_order(self, call: Call) -> Reply:
        wish = call.body
        return Reply(201, self._orders.add(self._order(wish["book_id"], wish["quantity"], wish.get("format"))))

    async def _read_order(self, call: Call) -> Reply:
        return Reply(200, self._orders.get(call.path["order_id"]))

    async def _list_customers(self, call: Call) -> Reply:
        return Reply(200, self._customers)

    async def _export_books(self, call: Call) -> Reply:
        text = io.StringIO()
        writer = csv.DictWriter(text, ["id", *BOOK_FIELDS])
        writer.writeheader()
        writer.writerows(self._books.rows.values())
        content_type = "text/html; charset=utf-8" if self._faulty else "text/csv; charset=utf-8"
        return Reply(200, text.getvalue(), content_type)

    def _order(self, book_id: int, quantity: int, book_format: str | None) -> Row:
        total = round(self._books.get(book_id)["price"] * quantity, 2)
        return {
            "book_id": book_id,
            "quantity": quantity,
            "format": book_format or "paperback",
            "total": total,
            "status": "placed",
        }


def create(seed: int = 0, faulty: bool = True, sleep: Sleep = asyncio.sleep) -> Bookshop:
    return Bookshop(seed, faulty, sleep)


bookshop = recipes.register("bookshop")(
    Recipe(
        name="bookshop",
        title="Bookshop",
        description="Fourteen operations on books, reviews and orders; a key for a part of them.",
        create=create,
        faults=(
            PlantedFault("GET /books", "server_error", "limit=0 passes the check of the bounds and divides by zero."),
            PlantedFault("GET /books", "response_schema", "Old books have a text for the year: `c. 1851`."),
            PlantedFault("POST /books/{book_id}/reviews", "undocumented_status", "Answers 202 in place of 201."),
            PlantedFault("GET /export/books", "content_type", "CSV is sent as text/html."),
            PlantedFault("POST /orders", "negative_accepted", "A quantity of 0 or less is taken."),
            PlantedFault("GET /customers", "missing_auth", "Documented as secured, answers everybody."),
            PlantedFault("GET /trending", "", "Reads the whole search log on each call, past its cache one by one."),
        ),
        slowdown=Slowdown("GET /trending", "GET", "/search?q=winter", times=900),
    )
)
