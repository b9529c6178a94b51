"""Identity over HTTP."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission
from backend.app.core.responses import DefaultResponse, Envelope, envelope, listed
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.modules.auth.dependencies import account_service, sign_in_service
from backend.app.modules.auth.recovery.router import router as recovery_router
from backend.app.modules.auth.schemas import (
    ApiKeyCreate,
    ApiKeyRead,
    ApiKeyWithSecret,
    MeRead,
    RefreshRequest,
    TokenPair,
    UserLogin,
    UserRead,
    UserRegister,
)
from backend.app.modules.auth.service import AccountService, SignInService

router = APIRouter()

Account: TypeAlias = Annotated[AccountService, Depends(account_service)]
"""Of the methods that need a signed-in user: on the class it would close the public routes too."""
_NOT_STORED = {"Cache-Control": "no-store"}


@view(router)
class AuthViews:
    door: Annotated[SignInService, Depends(sign_in_service)]

    @router.post("/auth/register", status_code=201)
    @access_control(PUBLIC)
    async def register(self, body: UserRegister) -> Envelope[UserRead]:
        """Signs a user up, with a personal workspace."""
        return envelope(await self.door.register(body))

    @router.post("/auth/login")
    @access_control(PUBLIC)
    async def login(self, body: UserLogin) -> Envelope[TokenPair]:
        """Signs in with e-mail address and password."""
        return envelope(await self.door.login(body), headers=_NOT_STORED)

    @router.post("/auth/refresh")
    @access_control(PUBLIC)
    async def refresh(self, body: RefreshRequest) -> Envelope[TokenPair]:
        """Exchanges a refresh token, once, for new tokens."""
        return envelope(await self.door.refresh(body.refresh_token), headers=_NOT_STORED)

    @router.get("/auth/me")
    @access_control(Permission.PROFILE_READ)
    async def me(self, account: Account) -> Envelope[MeRead]:
        """The signed-in user, the active workspace, and what the credential may do there."""
        return envelope(await account.me())

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


routers = (router, recovery_router)
"""Of this module and of its parts."""
