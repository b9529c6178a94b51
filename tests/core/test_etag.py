"""If-Match by the rules of RFC 9110, 13.1.1."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from backend.app.core.errors import PreconditionFailed, PreconditionRequired
from backend.app.core.etag import PARAMETERS, InvalidIfMatch, entity_tag, if_match, require_match, required_if_match

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


def test_a_change_within_a_microsecond_gives_another_tag() -> None:
    assert entity_tag(NOW) == entity_tag(NOW)
    assert entity_tag(NOW) != entity_tag(NOW + timedelta(microseconds=1))
    assert entity_tag(3) == '"3"'


@pytest.mark.parametrize(
    "header", ['"7"', '"6", "7"', '"7","6"', ' "7" ', '"6", , "7"', "*", " * ", 'W/"7", "7"', '"a,b", "7"']
)
def test_a_matching_tag_lets_the_edit_pass(header: str) -> None:
    require_match(header, '"7"')


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', '"6", W/"7"', '""', '"a,\x80"'])
def test_another_tag_or_a_weak_one_stops_it(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        require_match(header, '"7"')


def asking(*lines: str) -> Request:
    return Request({"type": "http", "headers": [(b"if-match", line.encode()) for line in lines]})


async def test_an_edit_that_needs_if_match_is_told_to_send_one() -> None:
    with pytest.raises(PreconditionRequired):
        await required_if_match(asking())
    assert await if_match(asking()) is None


async def test_an_empty_header_is_not_taken_for_none() -> None:
    header = await if_match(asking(""))
    assert header is not None
    with pytest.raises(InvalidIfMatch):
        require_match(header, '"7"')


async def test_several_lines_are_one_list() -> None:
    assert await required_if_match(asking('"6"', '"7"')) == '"6", "7"'


@given(st.from_regex(PARAMETERS[if_match]["schema"]["pattern"], fullmatch=True))
def test_what_our_document_describes_can_be_read(header: str) -> None:
    with suppress(PreconditionFailed):
        require_match(header, '"7"')


@pytest.mark.parametrize("header", ["7", '"7', '"7" "8"', 'w/"7"', '*, "7"', "", ",", '"7" x'])
def test_refuses_what_is_no_list_of_tags(header: str) -> None:
    with pytest.raises(InvalidIfMatch):
        require_match(header, '"7"')


def test_a_long_malformed_header_costs_little() -> None:
    with pytest.raises(InvalidIfMatch):
        require_match('"a" , \t ' * 5_000 + "x", '"7"')
