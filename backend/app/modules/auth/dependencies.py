"""How a request gets its principal and its services."""

import hashlib
import re
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import parse_qsl

import structlog
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from backend.app.core.client_address import client_address
from backend.app.core.context import ServiceContext
from backend.app.core.errors import InvalidInput, NotAuthenticated, Unavailable, UnsupportedMediaType
from backend.app.core.pagination import Row
from backend.app.core.permissions import ADMINISTRATION, Permission, Principal, Role
from backend.app.core.runtime import Runtime, runtime_of, service_context
from backend.app.modules.auth.credentials import api_keys
from backend.app.modules.auth.credentials.access_tokens import InvalidToken
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.errors import InvalidCredential, UnsupportedGrant, WorkspaceNotFound
from backend.app.modules.auth.models import MAX_USER_AGENT, UserRole
from backend.app.modules.auth.repository import IdentityRepository
from backend.app.modules.auth.schemas import PasswordGrant
from backend.app.modules.auth.service import (
    AccountService,
    SignInService,
    Visitor,
    access_tokens,
    api_key_hashes,
    session_claims,
)

log = structlog.get_logger(module_id="auth")

_USE_NOTED_EVERY: Final = timedelta(minutes=1)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)


async def sign_in_service(request: Request) -> SignInService:
    return SignInService(runtime_of(request), request.state.request_id, await visitor(request))


async def visitor(request: Request) -> Visitor:
    user_agent = request.headers.get("user-agent")
    address = client_address(request, runtime_of(request).settings)
    return Visitor(address, user_agent and user_agent[:MAX_USER_AGENT])


FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 20


async def password_grant(request: Request) -> PasswordGrant:
    """The fields of the form; one that comes twice is refused (RFC 6749, 3.2). Raises `UnsupportedMediaType`,
    `UnsupportedGrant`, `RequestValidationError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(f"The Content-Type of the request is not {FORM}")
    try:
        body = (await request.body()).decode()
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
        form = PasswordGrant.model_validate(dict(pairs))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from None
    except ValueError as error:
        raise InvalidInput(f"The form cannot be read: {error}") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise InvalidInput("A field of the form comes twice")
    if form.grant_type != "password":
        raise UnsupportedGrant
    return form


async def presented(request: Request) -> str:
    """The access token or API key that the request came with. Raises `NotAuthenticated`."""
    return _credential(request)


async def current_session(request: Request) -> str | None:
    """The session of the access token that the request was authenticated with; None for an API key."""
    runtime = runtime_of(request)
    try:
        claims = session_claims(_credential(request), runtime.settings, runtime.clock())
    except InvalidToken:  # it expired since
        raise InvalidCredential from None
    return claims.session_id if claims else None


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
    hashes = api_key_hashes(key, runtime.settings)
    async with runtime.database.transaction(write=False) as session:
        holder = await IdentityRepository(session).holder_of_key(hashes, now)
    if holder is None:
        log.warning("api_key.refused")
        raise InvalidCredential
    if workspace_id not in (None, holder["workspace_id"]):
        raise WorkspaceNotFound
    used = holder["last_used_at"]
    if used is None or used <= now - _USE_NOTED_EVERY or holder["key_hash"] != hashes[0]:
        await _note_use(holder["id"], hashes[0], runtime)
    scopes = {Permission(scope) for scope in holder["scopes"] if scope in set(Permission)}
    return Principal(
        holder["user_id"],
        holder["workspace_id"],
        _permissions(holder) & scopes,
        label=f"{holder['email']} ({holder['name']})",
        confined=True,
        expires_at=holder["expires_at"],
    )


def _permissions(holder: Row) -> frozenset[Permission]:
    granted = Role(holder["role"]).permissions
    return granted | ADMINISTRATION if holder["user_role"] == UserRole.ADMIN else granted


async def _note_use(key_id: str, key_hash: str, runtime: Runtime) -> None:
    try:
        async with runtime.database.transaction() as session:
            await IdentityRepository(session).touch_key(key_id, key_hash, runtime.clock(), _USE_NOTED_EVERY)
    except Unavailable:
        log.info("api_key.use_not_noted")
