"""The envelope and the `Link` header as a caller sees them."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from backend.app.core.pagination import Page, PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, dump_json, envelope, listed
from backend.app.core.settings import Settings
from backend.app.core.views import access_control, view
from tests.support.apps import client_of, small_app
from tests.support.paging import next_page

ROWS = [{"id": number, "at": datetime(2026, 1, 2, tzinfo=UTC)} for number in range(7)]


class Row(BaseModel):
    id: int
    at: datetime


def rows() -> APIRouter:
    router = APIRouter()

    @view(router)
    class RowViews:
        @router.get("/rows")
        @access_control(Permission.EVENTS_READ)
        async def list_rows(self, page: Annotated[PageRequest, Depends(page_request)]) -> Envelope[list[Row]]:
            after = page.after(int)
            found: list[Row] = [row for row in ROWS if after is None or row["id"] > after]  # type: ignore[misc, operator]
            answer: Page[Row] = page.page(found[: page.limit + 1], "id")  # type: ignore[arg-type]
            return listed(answer, extra="said")

        @router.get("/rows/{row_id}")
        @access_control(Permission.EVENTS_READ)
        async def read_row(self, row_id: int) -> Envelope[Row]:
            return envelope(Row.model_validate(ROWS[row_id]), etag='"7"', note="one")

        @router.delete("/rows/{row_id}")
        @access_control(Permission.EVENTS_READ)
        async def delete_row(self, row_id: int) -> Envelope[DefaultResponse]:
            return envelope(DefaultResponse())

    return router


APP = small_app(rows(), Settings())


async def test_one_object() -> None:
    answer = await client_of(APP).get("/rows/3")
    body = answer.json()
    assert body["data"] == {"id": 3, "at": "2026-01-02T00:00:00Z"}
    assert body["meta"]["note"] == "one"
    assert body["errors"] == []
    assert datetime.fromisoformat(body["meta"]["timestamp"]).tzinfo is not None
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["content-type"] == "application/json"


async def test_an_action_without_a_body_says_ok() -> None:
    assert (await client_of(APP).delete("/rows/3")).json()["data"] == {"message": "ok"}


async def test_links_lead_through_the_whole_list_and_keep_the_other_parameters() -> None:
    client, url, seen = client_of(APP), "/rows?limit=3&name=a%26b", []
    while url:
        answer = await client.get(url)
        page = answer.json()
        seen += [row["id"] for row in page["data"]]
        assert page["meta"]["count"] == len(page["data"])
        assert page["meta"]["extra"] == "said"
        url = next_page(answer)
        assert bool(url) == (page["meta"]["next_cursor"] is not None)
        if url:
            query = parse_qs(urlsplit(url).query)
            assert query["limit"] == ["3"]
            assert query["name"] == ["a&b"]
            assert query["cursor"] == [page["meta"]["next_cursor"]]
    assert seen == list(range(7))


@pytest.mark.parametrize("cursor", ["x", "!!", "%00", "%ff", "eyJhIjoxfQ", "ImEi", "A" * 513, "%E2%82%AC"])
async def test_a_garbage_cursor_is_a_422(cursor: str) -> None:
    answer = await client_of(APP).get(f"/rows?cursor={cursor}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1e9", "9" * 5_000, ""])
async def test_a_page_has_a_limit(limit: str) -> None:
    answer = await client_of(APP).get(f"/rows?limit={limit}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "limit"


def test_times_are_written_in_utc() -> None:
    assert dump_json({"at": datetime(2026, 1, 2, tzinfo=UTC)}) == b'{"at":"2026-01-02T00:00:00Z"}'


def test_what_cannot_be_json_is_said() -> None:
    with pytest.raises(TypeError, match="object"):
        dump_json(object())


async def test_a_link_holds_nothing_of_the_host_header() -> None:
    answer = await client_of(APP).get("/rows?limit=3", headers={"Host": "evil.example"})
    assert answer.headers["link"].startswith("<?limit=3&cursor=")
