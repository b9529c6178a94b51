"""A small API in memory, behind `Send`, which keeps its own description; faults can be planted by name."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from backend.app.engine.generate.requests import Credentials
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    SecurityKind,
    SecurityScheme,
)

BASE_URL = "http://api.test/v1"
TOKEN = "s3cret-token"
CREDENTIALS = Credentials(headers=(("Authorization", f"Bearer {TOKEN}"),))

PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 30},
        "species": {"type": "string", "enum": ["cat", "dog"]},
        "tag": {"type": ["string", "null"]},
    },
}
VISIT = {
    "type": "object",
    "required": ["id", "day"],
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "petId": {"type": "integer", "readOnly": True},
        "day": {"type": "string", "format": "date"},
        "costs": {"type": "number", "minimum": 0, "maximum": 1000},
    },
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
DEFINITIONS: dict[str, Any] = {"Pet": PET, "Visit": VISIT, "Error": ERROR}
PET_REF = {"$ref": "#/$defs/Pet"}
VISIT_REF = {"$ref": "#/$defs/Visit"}


def _json(schema: Any) -> tuple[MediaType, ...]:
    return (MediaType("application/json", schema),)


def _answers(**documented: Any) -> tuple[ResponseSpec, ...]:
    listed = [ResponseSpec(status.strip("_"), _json(schema) if schema else ()) for status, schema in documented.items()]
    return (*listed, *(ResponseSpec(status, _json({"$ref": "#/$defs/Error"})) for status in ("400", "401", "404")))


PET_ID = Parameter("petId", ParameterLocation.PATH, True, {"type": "integer"}, "simple")
VISIT_ID = Parameter("visitId", ParameterLocation.PATH, True, {"type": "integer"}, "simple")
LIMIT = Parameter(
    "limit", ParameterLocation.QUERY, False, {"type": "integer", "minimum": 1, "maximum": 50}, "form", True
)
TERM = Parameter("q", ParameterLocation.QUERY, True, {"type": "string", "minLength": 1}, "form", True)
AUTH = (("bearer",),)


def description() -> ApiDescription:
    pet_body = RequestBody(True, _json(PET_REF))
    pets = {"type": "array", "items": PET_REF}
    return ApiDescription(
        title="Pets",
        version="1",
        dialect="openapi-3.1",
        servers=(BASE_URL,),
        definitions=DEFINITIONS,
        security_schemes={"bearer": SecurityScheme("bearer", SecurityKind.BEARER)},
        operations=(
            Operation("POST", "/logout", responses=_answers(_204=None), security=AUTH),
            Operation("DELETE", "/pets/{petId}", parameters=(PET_ID,), responses=_answers(_204=None), security=AUTH),
            Operation("GET", "/pets/{petId}", parameters=(PET_ID,), responses=_answers(_200=PET_REF), security=AUTH),
            Operation(
                "PUT",
                "/pets/{petId}",
                parameters=(PET_ID,),
                body=pet_body,
                responses=_answers(_200=PET_REF),
                security=AUTH,
            ),
            Operation("GET", "/pets", parameters=(LIMIT,), responses=_answers(_200=pets), security=AUTH),
            Operation("POST", "/pets", body=pet_body, responses=_answers(_201=PET_REF), security=AUTH),
            Operation(
                "POST",
                "/pets/{petId}/visits",
                parameters=(PET_ID,),
                body=RequestBody(True, _json(VISIT_REF)),
                responses=_answers(_201=VISIT_REF),
                security=AUTH,
            ),
            Operation(
                "GET",
                "/pets/{petId}/visits/{visitId}",
                parameters=(PET_ID, VISIT_ID),
                responses=_answers(_200=VISIT_REF),
                security=AUTH,
            ),
            Operation("GET", "/search", parameters=(TERM,), responses=_answers(_200=pets)),
            Operation(
                "GET",
                "/status",
                responses=(
                    ResponseSpec("200", _json({"type": "object", "required": ["up"]}), required_headers=("X-Version",)),
                ),
            ),
            Operation("HEAD", "/status", responses=(ResponseSpec("200", _json({"type": "object"})),)),
        ),
    )


class FakeApi:
    """`send` answers as the description says, except for the planted `faults`."""

    def __init__(self, *faults: str) -> None:
        self.faults = frozenset(faults)
        self.pets: dict[int, dict[str, Any]] = {1: {"id": 1, "name": "Rex", "age": 4}}
        self.visits: dict[tuple[int, int], dict[str, Any]] = {}
        self.next_id = 100
        self.logged_in = True
        self.requests: list[Request] = []
        self.before: Callable[[Request], None] = lambda request: None
        self._validator = SchemaValidator(DEFINITIONS)

    async def send(self, request: Request) -> Exchange:
        self.requests.append(request)
        self.before(request)
        timing = Timing(started_at=1_700_000_000.0, first_byte_ms=1.0, total_ms=2.0)
        is_status = request.url.endswith("/status") and request.method == "GET"
        for fault, outcome in (
            ("unreachable", Outcome.CONNECT_FAILED),
            *((name, Outcome(name)) for name in ("timeout", "reset", "protocol_error", "too_large")),
        ):
            if fault in self.faults and (is_status or fault == "unreachable"):
                return Exchange(request, outcome, timing, error=f"It ended with {outcome}.")
        return Exchange(request, Outcome.ANSWERED, timing, self.answer(request))

    def answer(self, request: Request) -> Answer:
        url = urlsplit(request.url)
        path = unquote(url.path.removeprefix("/v1"))
        query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in request.headers}
        if path == "/status":
            return self.status(request.method)
        if path == "/search":
            return self.search(query)
        if not self.logged_in or (headers.get("authorization") != f"Bearer {TOKEN}" and not self.open_door(request)):
            return problem(401, "who are you?")
        if path == "/logout":
            self.logged_in = False
            return Answer(204, ())
        body: Any = None
        if request.method in ("POST", "PUT"):
            try:
                body = orjson.loads(request.body or b"")
            except orjson.JSONDecodeError:
                return problem(500 if "crash_on_bad_json" in self.faults else 400, "not JSON")
        if path == "/pets":
            return self.list_pets(query) if request.method == "GET" else self.create_pet(body)
        if match := re.fullmatch(r"/pets/([^/]+)", path):
            return self.pet(request.method, match[1], body)
        if match := re.fullmatch(r"/pets/([^/]+)/visits(?:/([^/]+))?", path):
            return self.visit(match[1], match[2], body)
        return problem(404, "no such path")

    def open_door(self, request: Request) -> bool:
        return "no_auth" in self.faults and request.method == "GET" and request.url.endswith("/pets")

    def status(self, method: str) -> Answer:
        if "crash" in self.faults:
            return Answer(500, (("Content-Type", "text/plain"),), b"Traceback ...")
        headers = [("Content-Type", "application/json"), ("X-Version", "1")]
        if "missing_header" in self.faults:
            headers.pop()
        return Answer(200, tuple(headers), b"" if method == "HEAD" else b'{"up":true}')

    def search(self, query: dict[str, str]) -> Answer:
        if not query.get("q") and "accepts_missing_q" not in self.faults:
            return problem(400, "q is required")
        if "undocumented_status" in self.faults:
            return answer(206, [])
        if "wrong_content_type" in self.faults:
            return Answer(200, (("Content-Type", "text/html; charset=utf-8"),), b"<p>nothing</p>")
        if "not_json" in self.faults:
            return Answer(200, (("Content-Type", "application/json"),), b"[oops")
        return answer(200, [])

    def list_pets(self, query: dict[str, str]) -> Answer:
        limit = query.get("limit", "20")
        if not re.fullmatch(r"\d+", limit) or not 1 <= int(limit) <= 50:
            return problem(400, "limit")
        listed = list(self.pets.values())[: int(limit)]
        if "bad_schema" in self.faults:
            listed = [{**pet, "age": "young"} for pet in listed]
        return answer(200, listed)

    def create_pet(self, body: Any) -> Answer:
        if "crash_without_name" in self.faults and isinstance(body, dict) and "name" not in body:
            return problem(500, "KeyError: 'name'")
        if not self.valid(PET_REF, body):
            return problem(400, "pet")
        self.next_id += 1
        self.pets[self.next_id] = {**body, "id": self.next_id}
        return answer(201, self.pets[self.next_id])

    def valid(self, schema: Any, body: Any) -> bool:
        if "accepts_wrong_age" in self.faults and isinstance(body, dict):
            body = {name: value for name, value in body.items() if name != "age"}
        return self._validator.is_valid(schema, body, direction="request")

    def pet(self, method: str, text: str, body: Any) -> Answer:
        if not text.isdecimal():
            return problem(400, "petId")
        number = int(text)
        if number not in self.pets:
            return problem(404, "no such pet")
        if method == "DELETE":
            del self.pets[number]
            return Answer(204, ())
        if method == "PUT":
            if not self.valid(PET_REF, body):
                return problem(400, "pet")
            self.pets[number] = {**body, "id": number}
        return answer(200, self.pets[number])

    def visit(self, pet_text: str, visit_text: str | None, body: Any) -> Answer:
        if not pet_text.isdecimal() or (visit_text is not None and not visit_text.isdecimal()):
            return problem(400, "id")
        pet = int(pet_text)
        if pet not in self.pets:
            return problem(404, "no such pet")
        if visit_text is not None:
            found = self.visits.get((pet, int(visit_text)))
            return answer(200, found) if found else problem(404, "no such visit")
        if not self.valid(VISIT_REF, body):
            return problem(400, "visit")
        self.next_id += 1
        self.visits[(pet, self.next_id)] = {**body, "id": self.next_id, "petId": pet}
        return answer(201, self.visits[(pet, self.next_id)])


def answer(status: int, document: Any) -> Answer:
    return Answer(status, (("Content-Type", "application/json"),), orjson.dumps(document))


def problem(status: int, text: str) -> Answer:
    return answer(status, {"error": text})
