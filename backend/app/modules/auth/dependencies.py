"""How a request gets its principal and its services."""

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request

from backend.app.core.context import ServiceContext
from backend.app.core.errors import NotAuthenticated, Unavailable
from backend.app.core.pagination import Row
from backend.app.core.permissions import ADMINISTRATION, Permission, Principal, Role
from backend.app.core.runtime import Runtime, runtime_of, service_context
from backend.app.modules.auth.credentials import api_keys
from backend.app.modules.auth.credentials.access_tokens import InvalidToken
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.errors import InvalidCredential, WorkspaceNotFound
from backend.app.modules.auth.models import UserRole
from backend.app.modules.auth.repository import IdentityRepository
from backend.app.modules.auth.service import AccountService, SignInService, access_tokens, api_key_hash

log = structlog.get_logger(module_id="auth")

_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


async def sign_in_service(request: Request) -> SignInService:
    return SignInService(runtime_of(request), request.state.request_id)


async def account_service(context: Annotated[ServiceContext, Depends(service_context)]) -> AccountService:
    return AccountService(context)


async def authenticate(request: Request, runtime: Runtime) -> Principal:
    """Who calls, by `X-API-Key`, or by `Authorization: Bearer` with an access token or an API key.

    The active workspace is the one in the path (`/workspaces/{workspace_id}/...`), else that of the key, else the one
    that `X-Workspace-Id` names, else the personal one. The answer is kept for a second (`ProvenCredentials`): what
    another process revokes is refused here within that second. It reads in a transaction of its own, and notes the use
    of a key in another.

    Raises `NotAuthenticated`, and `WorkspaceNotFound` for a workspace without the user or other than the key's.
    """
    credential = _credential(request)
    workspace_id = _workspace_id(request)
    digest = hashlib.sha256(f"{credential}\n{workspace_id}".encode()).digest()
    if (principal := proven.get(digest)) is not None:
        return principal
    if credential.startswith(api_keys.PREFIX):
        principal = await _by_api_key(credential, workspace_id, runtime)
    else:
        principal = await _by_access_token(credential, workspace_id, runtime)
    proven.put(digest, principal)
    return principal


def _credential(request: Request) -> str:
    if (key := request.headers.get("x-api-key")) is not None:
        if not key.startswith(api_keys.PREFIX):
            raise InvalidCredential
        return key
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise NotAuthenticated
    return credential


def _workspace_id(request: Request) -> str | None:
    wanted = request.path_params.get("workspace_id") or request.headers.get("x-workspace-id")
    if wanted is not None and _ULID.fullmatch(wanted := wanted.upper()) is None:
        raise WorkspaceNotFound
    return wanted


async def _by_access_token(token: str, workspace_id: str | None, runtime: Runtime) -> Principal:
    now = runtime.clock()
    try:
        claims = access_tokens(runtime.settings).read(token, now)
    except InvalidToken as error:
        log.warning("access_token.refused", reason=str(error))
        raise InvalidCredential from None
    async with runtime.database.transaction(write=False) as session:
        holder = await IdentityRepository(session).holder_of_session(
            claims.session_id, claims.user_id, workspace_id, now
        )
    if holder is None:
        log.warning("access_token.refused", reason="session", user_id=claims.user_id)
        raise InvalidCredential
    if holder["role"] is None:
        raise WorkspaceNotFound
    return Principal(holder["user_id"], holder["workspace_id"], _permissions(holder), label=holder["email"])


async def _by_api_key(key: str, workspace_id: str | None, runtime: Runtime) -> Principal:
    now = runtime.clock()
    if not api_keys.is_well_formed(key):
        raise InvalidCredential
    async with runtime.database.transaction(write=False) as session:
        holder = await IdentityRepository(session).holder_of_key(api_key_hash(key, runtime.settings), now)
    if holder is None:
        log.warning("api_key.refused")
        raise InvalidCredential
    if workspace_id not in (None, holder["workspace_id"]):
        raise WorkspaceNotFound
    if holder["last_used_at"] is None or holder["last_used_at"] <= now - _USE_NOTED_EVERY:
        await _note_use(holder["id"], runtime)
    scopes = {Permission(scope) for scope in holder["scopes"] if scope in set(Permission)}
    return Principal(
        holder["user_id"],
        holder["workspace_id"],
        _permissions(holder) & scopes,
        label=f"{holder['email']} ({holder['name']})",
        confined=True,
    )


def _permissions(holder: Row) -> frozenset[Permission]:
    granted = Role(holder["role"]).permissions
    return granted | ADMINISTRATION if holder["user_role"] == UserRole.ADMIN else granted


async def _note_use(key_id: str, runtime: Runtime) -> None:
    try:
        async with runtime.database.transaction() as session:
            await IdentityRepository(session).touch_key(key_id, runtime.clock(), _USE_NOTED_EVERY)
    except Unavailable:
        log.info("api_key.use_not_noted")
