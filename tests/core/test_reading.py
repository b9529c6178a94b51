"""A view reads the path and the query exactly as FastAPI would."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.dependencies.utils import get_dependant
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.reading import reader_of
from backend.app.core.responses import Envelope, envelope
from backend.app.core.settings import RateSettings, Settings
from backend.app.core.views import PUBLIC, access_control, view
from tests.support.apps import client_of, small_app


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


async def wanted(
    name: Annotated[str | None, Query(max_length=3, pattern="^[a-z ]*$")] = None,
    since: datetime | None = None,
    strict: bool = False,
    colour: Colour = Colour.RED,
) -> dict[str, Any]:
    return {"name": name, "since": since, "strict": strict, "colour": colour}


async def read(
    number: int,
    ratio: float,
    page: Annotated[PageRequest, Depends(page_request)],
    wanted: Annotated[dict[str, Any], Depends(wanted)],
    id_: Annotated[Ulid | None, Query()] = None,
    limit: int = 7,
) -> dict[str, Any]:
    return {"number": str(number), "ratio": ratio, "page": str(page), "wanted": wanted, "id": id_, "limit": str(limit)}


def ours() -> FastAPI:
    router = APIRouter()

    @view(router)
    class Views:
        @router.get("/things/{number}")
        @access_control(PUBLIC)
        async def read_thing(
            self,
            number: int,
            ratio: float,
            page: Annotated[PageRequest, Depends(page_request)],
            wanted: Annotated[dict[str, Any], Depends(wanted)],
            id_: Annotated[Ulid | None, Query()] = None,
            limit: int = 7,
        ) -> Envelope[dict[str, Any]]:
            return envelope(await read(number, ratio, page, wanted, id_, limit))

    return small_app(router, Settings(rates=RateSettings(enabled=False)))


def theirs() -> FastAPI:
    app = FastAPI()
    app.add_api_route("/api/v1/things/{number}", read)
    return app


OURS, THEIRS = ours(), theirs()
ODD = [
    "1",
    "-0",
    "01",
    "1.5",
    "1e3",
    "nan",
    "inf",
    "abc",
    "abcd",
    "é",
    "true",
    "off",
    "2",
    "red",
    "RED",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "null",
    "[]",
    "1_000",
    "١",
]
TEXTS = st.sampled_from([*ODD, "", " ", "9" * 30, "0" * 26, "z" * 26]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5
)
NAMES = st.sampled_from(["ratio", "limit", "cursor", "name", "since", "strict", "colour", "id_", "number", "other"])


async def outcomes(path: str, query: list[tuple[str, str]]) -> tuple[httpx2.Response, httpx2.Response]:
    return (
        await client_of(OURS, who=None).get(f"{path}?{urlencode(query)}"),
        await client_of(THEIRS, who=None).get(f"{path}?{urlencode(query)}"),
    )


@given(TEXTS.filter(lambda text: text.strip("./")), st.lists(st.tuples(NAMES, TEXTS), max_size=6), st.booleans())
def test_the_same_values_or_the_same_faults(number: str, query: list[tuple[str, str]], valid: bool) -> None:
    if valid:
        number, query = "7", [("ratio", "0.5"), *query[:2]]
    path = "/things/" + quote(number, safe="")
    mine, other = asyncio.run(outcomes(path, query))
    assert mine.status_code == other.status_code
    if mine.status_code == 200:
        assert mine.json()["data"] == other.json() | {"wanted": mine.json()["data"]["wanted"]}
        assert mine.json()["data"]["wanted"].keys() == other.json()["wanted"].keys()
    elif mine.status_code == 422:
        faults = [(fault["in"], fault["parameter"], fault["detail"], fault["type"]) for fault in mine.json()["errors"]]
        expected = [
            (fault["loc"][0], ".".join(map(str, fault["loc"][1:])), fault["msg"], fault["type"])
            for fault in other.json()["detail"]
        ]
        assert sorted(faults) == sorted(expected)


class Model(BaseModel):
    size: int


async def body(body: Model) -> None: ...
async def several(tags: Annotated[list[str], Query()]) -> None: ...
async def optional_several(tags: Annotated[list[str] | None, Query()] = None) -> None: ...
async def renamed(size: Annotated[int, Query(alias="s")] = 1) -> None: ...
async def model(query: Annotated[Model, Query()]) -> None: ...
async def nested(page: Annotated[str, Depends(read)]) -> None: ...


def test_what_is_more_than_path_and_query_is_left_to_fastapi() -> None:
    for endpoint in (body, several, optional_several, renamed, model, nested):
        assert reader_of(get_dependant(path="/", call=endpoint)) is None, endpoint.__name__
    assert reader_of(get_dependant(path="/{number}", call=read)) is not None
