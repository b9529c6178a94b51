"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a POST repeated with the same key has one effect.

The key's row is written in the transaction of the effect: either both are there or neither. A second request with the
key waits for the first transaction to end and then answers what that one answered. Keys are kept for
`web.idempotency_hours`; the sweep of the jobs (`core.performer`) removes older ones.
"""

import hashlib
from collections.abc import Awaitable, Callable

import orjson
from fastapi import Request
from sqlalchemy import select, update
from starlette.responses import Response

from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidInput
from backend.app.db.idempotency import IdempotencyRecord
from backend.app.db.insert import insert_or_ignore


class IdempotencyKeyReused(InvalidInput):
    code = "request.idempotency_key_reused"
    title = "This Idempotency-Key belongs to a different request"


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
    fresh = {"request_hash": digest, "created_at": context.clock(), "status": 0, "headers": "{}", "body": b""}
    while not await insert_or_ignore(context.session, IdempotencyRecord, {**identity, **fresh}):
        record = (await context.session.execute(select(IdempotencyRecord).where(*mine))).scalar_one_or_none()
        if record is None:
            continue  # it expired between the two statements
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
