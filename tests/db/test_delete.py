"""Deleting in steps, on both engines."""

from datetime import timedelta

from sqlalchemy import func, insert, select

from backend.app.core.clock import utc_now
from backend.app.core.ids import new_ulid
from backend.app.db.delete import delete_some
from backend.app.db.idempotency import IdempotencyRecord
from backend.app.db.session import Database

KEY = IdempotencyRecord.key


async def test_a_step_deletes_no_more_than_its_limit_and_nothing_else(database: Database) -> None:
    workspace_id = new_ulid()
    async with database.transaction() as session:
        rows = [
            {
                "workspace_id": workspace_id,
                "user_id": "",
                "key": f"{'old' if number < 25 else 'young'} {number}",
                "request_hash": "",
                "created_at": utc_now() - timedelta(days=number),
            }
            for number in range(30)
        ]
        await session.execute(insert(IdempotencyRecord), rows)
    steps: list[int] = []
    while not steps or steps[-1] == 10:
        async with database.transaction() as session:
            steps.append(await delete_some(session, IdempotencyRecord, KEY.startswith("old"), limit=10))
    assert steps == [10, 10, 5]
    async with database.transaction(write=False) as session:
        left = select(func.count()).select_from(IdempotencyRecord).where(KEY.startswith("young"))
        assert await session.scalar(left) == 5
        assert await session.scalar(select(func.count()).select_from(IdempotencyRecord)) == 5
