"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a POST repeated with the same key has one effect.

The key's row is written in the transaction of the effect: either both are there or neither. A second request with the
key waits for the first transaction to end and then answers what that one answered.
"""

import hashlib
from collections.abc import Awaitable, Callable

import orjson
from fastapi import Request
from sqlalchemy import Integer, LargeBinary, String, Text, select, update
from sqlalchemy.orm import Mapped, mapped_column
from starlette.responses import Response

from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidInput
from backend.app.db.base import Base
from backend.app.db.insert import insert_or_ignore
from backend.app.db.types import UtcDateTime


class IdempotencyKeyReused(InvalidInput):
    code = "request.idempotency_key_reused"
    title = "This Idempotency-Key belongs to a different request"


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


async def once(
    context: ServiceContext, key: str, request: Request, perform: Callable[[], Awaitable[Response]]
) -> Response:
    """Raises `IdempotencyKeyReused` when the key came with another method, target or body before."""
    identity = {
        "workspace_id": context.workspace_id,
        "user_id": context.principal.user_id or "",
        "key": key,
    }
    target = f"{request.method} {request.url.path}?{request.url.query}\n"
    digest = hashlib.sha256(target.encode() + await request.body()).hexdigest()
    mine = [getattr(IdempotencyRecord, name) == value for name, value in identity.items()]
    first = await insert_or_ignore(
        context.session,
        IdempotencyRecord,
        {**identity, "request_hash": digest, "created_at": context.clock(), "status": 0, "headers": "{}", "body": b""},
    )
    if not first:
        record = (await context.session.execute(select(IdempotencyRecord).where(*mine))).scalar_one()
        if record.request_hash != digest:
            raise IdempotencyKeyReused
        headers = {**orjson.loads(record.headers), "Idempotency-Replayed": "true"}
        return Response(record.body, record.status, headers)
    response = await perform()
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    await context.session.execute(
        update(IdempotencyRecord)
        .where(*mine)
        .values(status=response.status_code, headers=orjson.dumps(kept).decode(), body=bytes(response.body))
    )
    return response
