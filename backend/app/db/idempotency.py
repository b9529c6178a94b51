"""The answers that are kept for repeated requests; `core.idempotency` has the rules."""

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.delete import delete_some
from backend.app.db.types import UtcDateTime


class IdempotencyRecord(Base):
    __tablename__ = "idempotency_keys"

    workspace_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer, default=0)
    headers: Mapped[str] = mapped_column(Text, default="{}")
    body: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    created_at = mapped_column(UtcDateTime, nullable=False, index=True)


async def forget_keys(session: AsyncSession, before: datetime, limit: int) -> int:
    """Removes up to `limit` keys that are older than `before`; answers how many."""
    return await delete_some(session, IdempotencyRecord, IdempotencyRecord.created_at < before, limit=limit)
