"""Recovery over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.app.core.responses import DefaultResponse, Envelope, envelope
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.modules.auth.recovery.dependencies import recovery_service
from backend.app.modules.auth.recovery.schemas import EmailConfirm, MailWanted, ResetConfirm
from backend.app.modules.auth.recovery.service import RecoveryService

router = APIRouter()


@view(router)
class RecoveryViews:
    recovery: Annotated[RecoveryService, Depends(recovery_service)]

    @router.post("/auth/reset-password", status_code=202)
    @access_control(PUBLIC)
    async def reset_password(self, body: MailWanted) -> Envelope[DefaultResponse]:
        """Mails a link to choose a new password, if there is such an account; the answer does not tell."""
        await self.recovery.request_reset(body.email)
        return envelope(DefaultResponse())

    @router.post("/auth/confirm-reset")
    @access_control(PUBLIC)
    async def confirm_reset(self, body: ResetConfirm) -> Envelope[DefaultResponse]:
        """Sets a new password with the token of a mail, once, and ends all sessions."""
        await self.recovery.confirm_reset(body.token, body.password)
        return envelope(DefaultResponse())

    @router.post("/auth/verify-email")
    @access_control(PUBLIC)
    async def verify_email(self, body: EmailConfirm) -> Envelope[DefaultResponse]:
        """Confirms an e-mail address with the token of a mail."""
        await self.recovery.verify_email(body.token)
        return envelope(DefaultResponse())

    @router.post("/auth/verify-email/resend", status_code=202)
    @access_control(PUBLIC)
    async def resend(self, body: MailWanted) -> Envelope[DefaultResponse]:
        """Mails another link to confirm the address, if an account waits for it; the answer does not tell."""
        await self.recovery.request_verification(body.email)
        return envelope(DefaultResponse())
