"""What one process is made of, kept in `app.state.runtime`, and how a request gets its `ServiceContext` out of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.clock import Clock
from backend.app.core.context import ServiceContext
from backend.app.core.message_hub import MessageHub
from backend.app.core.permissions import Permission, Principal
from backend.app.core.settings import Settings
from backend.app.db.session import Database

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    database: Database
    hub: MessageHub
    clock: Clock
    authenticate: "Callable[[Request, Runtime], Awaitable[Principal]]"
    """Answers who calls, or raises `NotAuthenticated`. Given by the `auth` module at start."""


def runtime_of(request: Request) -> Runtime:
    return cast(Runtime, request.app.state.runtime)


async def current_principal(request: Request) -> Principal:
    state = request.scope["state"]
    if "principal" not in state:
        runtime = runtime_of(request)
        state["principal"] = await runtime.authenticate(request, runtime)
    return cast(Principal, state["principal"])


async def get_session(
    request: Request, principal: Annotated[Principal, Depends(current_principal)]
) -> AsyncIterator[AsyncSession]:
    """One transaction a request, for the rows of the active workspace; the commit comes before the answer is sent."""
    writes = request.method not in _READS
    async with runtime_of(request).database.transaction(principal.workspace_id, write=writes) as session:
        yield session


async def service_context(
    request: Request,
    principal: Annotated[Principal, Depends(current_principal)],
    session: Annotated[AsyncSession, Depends(get_session)],
) -> ServiceContext:
    runtime = runtime_of(request)
    return ServiceContext(runtime.settings, session, runtime.hub, principal, runtime.clock, request.state.request_id)


NOBODY = Principal(None, "", frozenset[Permission](), label="nobody")
