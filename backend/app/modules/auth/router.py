"""Identity over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from backend.app.core.etag import entity_tag, required_if_match
from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission, Principal
from backend.app.core.responses import DefaultResponse, Envelope, dump_json, envelope, listed
from backend.app.core.runtime import current_principal
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.modules.auth.administration.router import router as administration_router
from backend.app.modules.auth.dependencies import (
    FORM,
    account_service,
    current_session,
    password_grant,
    presented,
    sign_in_service,
)
from backend.app.modules.auth.errors import InvalidCredentials, InvalidGrant
from backend.app.modules.auth.recovery.router import router as recovery_router
from backend.app.modules.auth.schemas import (
    ApiKeyCreate,
    ApiKeyRead,
    ApiKeyWithSecret,
    CredentialRead,
    LogoutRequest,
    MeRead,
    PasswordChange,
    PasswordGrant,
    ProfileUpdate,
    RefreshRequest,
    SessionRead,
    TokenPair,
    UserLogin,
    UserRead,
    UserRegister,
)
from backend.app.modules.auth.service import AccountService, SignInService
from backend.app.modules.auth.sso.router import router as sso_router
from backend.app.modules.auth.workspaces.router import router as workspaces_router

router = APIRouter()

Account: TypeAlias = Annotated[AccountService, Depends(account_service)]
"""Of the methods that need a signed-in user: on the class it would close the public routes too."""
IfMatch: TypeAlias = Annotated[str, Depends(required_if_match)]
Presented: TypeAlias = Annotated[str, Depends(presented)]
CurrentSession: TypeAlias = Annotated[str | None, Depends(current_session)]
CurrentPrincipal: TypeAlias = Annotated[Principal, Depends(current_principal)]
_NOT_STORED = {"Cache-Control": "no-store"}
_TOKEN_FORM = {
    "required": True,
    "content": {FORM: {"schema": PasswordGrant.model_json_schema()}},
}


@view(router)
class AuthViews:
    door: Annotated[SignInService, Depends(sign_in_service)]

    @router.post("/auth/register", status_code=201)
    @access_control(PUBLIC)
    async def register(self, body: UserRegister) -> Envelope[UserRead]:
        """Signs a user up, with a personal workspace. An address that has an account already is answered alike, and
        its owner told by mail."""
        return envelope(await self.door.register(body))

    @router.post("/auth/login")
    @access_control(PUBLIC)
    async def login(self, body: UserLogin) -> Envelope[TokenPair]:
        """Signs in with e-mail address and password."""
        return envelope(await self.door.login(body.email, body.password), headers=_NOT_STORED)

    @router.post("/auth/token", response_model=TokenPair, openapi_extra={"requestBody": _TOKEN_FORM})
    @access_control(PUBLIC)
    async def token(self, request: Request) -> Response:
        """Signs in with the form of OAuth 2 (RFC 6749, 4.3), as Swagger's Authorize sends it; the answer is that of
        OAuth 2 too, without an envelope."""
        form = await password_grant(request)
        try:
            tokens = await self.door.login(form.username, form.password)
        except InvalidCredentials:
            raise InvalidGrant from None
        return Response(dump_json(tokens), headers=_NOT_STORED, media_type="application/json")

    @router.post("/auth/refresh")
    @access_control(PUBLIC)
    async def refresh(self, body: RefreshRequest) -> Envelope[TokenPair]:
        """Exchanges a refresh token, once, for new tokens."""
        return envelope(await self.door.refresh(body.refresh_token), headers=_NOT_STORED)

    @router.post("/auth/change-password")
    @access_control(Permission.PROFILE_WRITE, replayable=False)
    async def change_password(
        self, body: PasswordChange, principal: CurrentPrincipal, session_id: CurrentSession
    ) -> Envelope[DefaultResponse]:
        """Sets a new password and ends all other sessions."""
        await self.door.change_password(principal, session_id, body.current_password, body.new_password)
        return envelope(DefaultResponse())

    @router.post("/auth/logout")
    @access_control(Permission.PROFILE_WRITE, replayable=False)
    async def logout(
        self, account: Account, session_id: CurrentSession, body: LogoutRequest | None = None
    ) -> Envelope[DefaultResponse]:
        """Ends the session of the access token, or all sessions of the user."""
        await account.logout(session_id, everywhere=body is not None and body.everywhere)
        return envelope(DefaultResponse())

    @router.get("/auth/verify")
    @access_control(Permission.PROFILE_READ)
    async def verify(self, account: Account, credential: Presented) -> Envelope[CredentialRead]:
        """Whose access token or API key this is, and until when it opens; one that opens nothing is answered 401."""
        return envelope(await account.credential(credential))

    @router.get("/auth/sessions")
    @access_control(Permission.PROFILE_READ)
    async def list_sessions(
        self, account: Account, current: CurrentSession, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[SessionRead]]:
        """Where the user is signed in, newest first."""
        return listed(await account.sessions(page, current))

    @router.delete("/auth/sessions/{session_id}")
    @access_control(Permission.PROFILE_WRITE)
    async def revoke_session(self, account: Account, session_id: Ulid) -> Envelope[DefaultResponse]:
        """Ends a session of the user."""
        await account.revoke_session(session_id)
        return envelope(DefaultResponse())

    @router.get("/auth/me")
    @access_control(Permission.PROFILE_READ)
    async def me(self, account: Account) -> Envelope[MeRead]:
        """The signed-in user, the active workspace, and what the credential may do there."""
        return _profile(await account.me())

    @router.patch("/auth/me")
    @access_control(Permission.PROFILE_WRITE)
    async def update_me(self, account: Account, body: ProfileUpdate, tag: IfMatch) -> Envelope[MeRead]:
        """Changes the fields that are sent."""
        return _profile(await account.update_me(body, tag))

    @router.get("/user/api-keys")
    @access_control(Permission.API_KEYS_READ)
    async def list_keys(
        self, account: Account, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[ApiKeyRead]]:
        """The user's API keys in the active workspace, newest first, without the revoked ones."""
        return listed(await account.keys(page))

    @router.post("/user/api-keys", status_code=201)
    @access_control(Permission.API_KEYS_WRITE, replayable=False)
    async def create_key(self, account: Account, body: ApiKeyCreate) -> Envelope[ApiKeyWithSecret]:
        """Makes an API key; the answer shows it this once."""
        return envelope(await account.create_key(body))

    @router.delete("/user/api-keys/{key_id}")
    @access_control(Permission.API_KEYS_WRITE)
    async def revoke_key(self, account: Account, key_id: Ulid) -> Envelope[DefaultResponse]:
        """Revokes an API key."""
        await account.revoke_key(key_id)
        return envelope(DefaultResponse())


def _profile(user: MeRead) -> Envelope[MeRead]:
    return envelope(user, etag=entity_tag(user.updated_at))


routers = (router, recovery_router, workspaces_router, administration_router, sso_router)
"""Of this module and of its parts."""
