"""What others wrote is kept on both engines, whatever it holds."""

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from backend.app.db.session import Database
from backend.app.db.types import AnyText, JsonText

TABLE = Table("texts", MetaData(), Column("id", Integer, primary_key=True), Column("t", AnyText), Column("j", JsonText))


async def kept(database: Database, text: str | None, value: Any) -> tuple[Any, Any]:
    async with database.transaction() as session:
        connection = await session.connection()
        await connection.run_sync(TABLE.create)
        await session.execute(insert(TABLE).values(id=1, t=text, j=value))
        found = (await session.execute(select(TABLE.c.t, TABLE.c.j))).one()
        await connection.run_sync(TABLE.drop)
        return found[0], found[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), (None, None), ("é😀", "é😀"), ("a\0b", "a\ufffdb"), ("\ud800x", "\ufffdx"), ("\ud83d\ude00", "😀")],
)
async def test_text_loses_only_what_cannot_be_stored(database: Database, text: str | None, expected: str) -> None:
    assert await kept(database, text, None) == (expected, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [None, 1.5, "é\0"]}, {"b": 1, "a": [None, 1.5, "é\0"]}),
        ([2**64 - 1, -(2**63)], [2**64 - 1, -(2**63)]),
        ([2**64, 10**400], [2.0**64, None]),
        ({"\ud800": ("\udfff",)}, {"\ufffd": ["\ufffd"]}),
        ({}, {}),
        (0, 0),
    ],
)
async def test_json_keeps_its_order_and_bends_only_what_json_cannot_hold(
    database: Database, value: Any, expected: Any
) -> None:
    _, found = await kept(database, None, value)
    assert found == expected
    if isinstance(expected, dict):
        assert list(found) == list(expected)
