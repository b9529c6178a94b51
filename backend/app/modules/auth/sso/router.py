"""Single sign-on over HTTP."""

from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse

from backend.app.core.ids import Ulid
from backend.app.core.pagination import PageRequest, page_request
from backend.app.core.permissions import Permission, Principal
from backend.app.core.responses import PROBLEM_RESPONSES, DefaultResponse, Envelope, envelope, listed
from backend.app.core.runtime import current_principal, runtime_of
from backend.app.core.schema import Line
from backend.app.core.settings import Settings
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.modules.auth.dependencies import current_session, sign_in_service
from backend.app.modules.auth.schemas import TokenPair
from backend.app.modules.auth.service import SignInService
from backend.app.modules.auth.sso.dependencies import linked_identity_service, sso_service
from backend.app.modules.auth.sso.schemas import LinkedIdentityRead, LinkRequest, SsoProviderRead, SsoStart
from backend.app.modules.auth.sso.service import (
    ATTEMPT_LIFETIME,
    CallbackAnswer,
    LinkedIdentityService,
    Linking,
    SsoService,
)

router = APIRouter()

LinkedIdentities: TypeAlias = Annotated[LinkedIdentityService, Depends(linked_identity_service)]
"""Of the methods that need a signed-in user: on the class it would close the public routes too."""
Door: TypeAlias = Annotated[SignInService, Depends(sign_in_service)]
CurrentPrincipal: TypeAlias = Annotated[Principal, Depends(current_principal)]
CurrentSession: TypeAlias = Annotated[str | None, Depends(current_session)]
_FAULTY: Final[dict[int | str, dict[str, Any]]] = {
    502: {**PROBLEM_RESPONSES["503"], "description": "The provider does not answer as it should"}
}
_REDIRECT: Final[dict[int | str, dict[str, Any]]] = {302: {"description": "To the provider"}}
_NO_STORE: Final = {"Cache-Control": "no-store"}


@view(router)
class SsoViews:
    sso: Annotated[SsoService, Depends(sso_service)]

    @router.get("/auth/sso/providers")
    @access_control(PUBLIC)
    async def list_sso_providers(self) -> Envelope[list[SsoProviderRead]]:
        """The providers that this installation signs in with."""
        return envelope(self.sso.providers())

    @router.get("/auth/sso/{provider}/login", response_model=Envelope[SsoStart], responses={**_REDIRECT, **_FAULTY})
    @access_control(PUBLIC)
    async def start_sso(self, request: Request, provider: str, redirect: bool = True) -> Any:
        """Sends the browser to the provider; `redirect=false` answers where to. The cookie in the answer has to come
        back, within ten minutes, with the browser."""
        started = await self.sso.start(provider)
        headers = {**_NO_STORE, "Set-Cookie": _cookie(runtime_of(request).settings, started.browser)}
        if redirect:
            return RedirectResponse(started.authorization_url, 302, headers)
        return envelope(SsoStart(authorization_url=started.authorization_url), headers=headers)

    @router.get("/auth/sso/{provider}/callback", responses=_FAULTY)
    @access_control(PUBLIC)
    async def complete_sso(
        self,
        request: Request,
        provider: str,
        state: Annotated[Line, Query(max_length=200)],
        code: Annotated[Line | None, Query(max_length=4096)] = None,
        iss: Annotated[Line | None, Query(max_length=500)] = None,
        error: Annotated[Line | None, Query(max_length=200)] = None,
    ) -> Envelope[TokenPair]:
        """Where the provider sends the browser back to: links the identity if that is what was started, and signs in,
        once for each start."""
        settings = runtime_of(request).settings
        browser = request.cookies.get(_cookie_name(settings))
        tokens = await self.sso.complete(provider, CallbackAnswer(state, code, iss, error), browser)
        return envelope(tokens, headers={**_NO_STORE, "Set-Cookie": _cookie(settings, "", 0)})

    @router.post("/auth/sso/{provider}/link", responses=_FAULTY)
    @access_control(Permission.PROFILE_WRITE, replayable=False)
    async def link_identity(
        self,
        request: Request,
        door: Door,
        principal: CurrentPrincipal,
        session_id: CurrentSession,
        provider: str,
        body: LinkRequest | None = None,
    ) -> Envelope[SsoStart]:
        """Where to go so that another identity opens the user's account too; the callback links it, then signs in. As
        with a sign-in, the cookie has to come back within ten minutes."""
        self.sso.provider(provider)
        await door.reauthenticate(principal, session_id, body.current_password if body else None)
        started = await self.sso.start(provider, Linking(principal.user_id or "", session_id or ""))
        headers = {**_NO_STORE, "Set-Cookie": _cookie(runtime_of(request).settings, started.browser)}
        return envelope(SsoStart(authorization_url=started.authorization_url), headers=headers)

    @router.get("/auth/identities")
    @access_control(Permission.PROFILE_READ)
    async def list_identities(
        self, identities: LinkedIdentities, page: Annotated[PageRequest, Depends(page_request)]
    ) -> Envelope[list[LinkedIdentityRead]]:
        """The identities at providers that open the user's account, newest first."""
        return listed(await identities.page(page))

    @router.delete("/auth/identities/{identity_id}")
    @access_control(Permission.PROFILE_WRITE)
    async def remove_identity(self, identities: LinkedIdentities, identity_id: Ulid) -> Envelope[DefaultResponse]:
        """Takes an identity off the account, unless nothing else opens it."""
        await identities.remove(identity_id)
        return envelope(DefaultResponse())


def _cookie_name(settings: Settings) -> str:
    """`__Host-` keeps other hosts of the domain from planting one; browsers take it over TLS only (ASVS 3.3)."""
    return "__Host-touchstone-sso" if _secure(settings) else "touchstone-sso"


def _cookie(settings: Settings, value: str, seconds: int = int(ATTEMPT_LIFETIME.total_seconds())) -> str:
    """`Lax`, because the browser comes back from another site."""
    secure = "; Secure" if _secure(settings) else ""
    return f"{_cookie_name(settings)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def _secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
