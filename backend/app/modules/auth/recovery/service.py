"""The rules of what is mailed and of what a mailed token opens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal

from backend.app.core.context import ServiceContext
from backend.app.core.pagination import Row
from backend.app.core.runtime import NOBODY, Runtime
from backend.app.db.session import after_commit
from backend.app.extensions.mail import Letter, render
from backend.app.modules.auth.credentials.expected_passwords import refuse_expected
from backend.app.modules.auth.credentials.mailed_tokens import hash_mailed_token, new_mailed_token
from backend.app.modules.auth.credentials.passwords import hash_password
from backend.app.modules.auth.credentials.proven import proven
from backend.app.modules.auth.events import MailRequested
from backend.app.modules.auth.recovery.errors import InvalidMailedToken
from backend.app.modules.auth.recovery.events import EmailVerified, PasswordReset
from backend.app.modules.auth.recovery.repository import RecoveryRepository
from backend.app.modules.auth.repository import IdentityRepository, SessionRepository
from backend.app.modules.auth.service import Visitor, acting, failure_keys


class Purpose(StrEnum):
    """Of a token; one that was mailed for one purpose opens nothing else."""

    RESET_PASSWORD = "reset_password"  # noqa: S105 - no password
    VERIFY_EMAIL = "verify_email"


VALID: Final[Mapping[Purpose, timedelta]] = {
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
}
MAILED_EVERY: Final = timedelta(minutes=1)
"""Whoever asks, an account gets no more than one token of a purpose in this time: nobody can flood a mailbox."""
_PURPOSES: Final[Mapping[str, Purpose]] = {
    "reset_password": Purpose.RESET_PASSWORD,
    "sign_up_repeated": Purpose.RESET_PASSWORD,
    "verify_email": Purpose.VERIFY_EMAIL,
}
"""The templates with a token for a user."""


class RecoveryService:
    """For those who cannot sign in. It opens its own transactions, because nobody should wait for a password to be
    hashed with a connection in hand."""

    def __init__(self, runtime: Runtime, request_id: str, visitor: Visitor) -> None:
        self._runtime = runtime
        self._request_id = request_id
        self._visitor = visitor

    async def request_reset(self, email: str) -> None:
        """The same work whether or not there is an account (ASVS 5, 6.3.8): whether to write is decided when the mail
        is sent."""
        async with self._transaction() as context:
            await _request_mail(
                context, "reset_password", await RecoveryRepository(context.session).user_by_email(email)
            )

    async def request_verification(self, email: str) -> None:
        """The same work whether or not an account waits for it."""
        async with self._transaction() as context:
            user = await RecoveryRepository(context.session).user_by_email(email)
            waiting = user is not None and user["email_verified_at"] is None
            await _request_mail(context, "verify_email", user if waiting else None)

    async def confirm_reset(self, token: str, password: str) -> None:
        """All sessions end, and so does every other link of the kind (NIST SP 800-63B-4, 4.2; ASVS 5, 7.4.3). Who reads
        the mail has proved the address too, and is forgiven failed sign-ins; who proves it first has the account alone.
        Raises `InvalidMailedToken`, `ExpectedPassword`."""
        token_hash, purpose = hash_mailed_token(token), Purpose.RESET_PASSWORD
        async with self._transaction(write=False) as context:
            holder = await RecoveryRepository(context.session).holder(token_hash, purpose, context.clock())
        if holder is None:
            raise InvalidMailedToken
        refuse_expected(password, (holder["email"], holder["first_name"], holder["last_name"]))
        password_hash = await hash_password(password)
        async with self._transaction() as context:
            recovery, now = RecoveryRepository(context.session), context.clock()
            # The row of the user first: two links of one account then wait for each other instead of deadlocking.
            await recovery.set_password(holder["id"], password_hash, now)
            if not await recovery.use_token(token_hash, purpose, now):
                raise InvalidMailedToken
            await recovery.void_tokens(holder["id"], purpose, now)
            took_over = await recovery.mark_verified(holder["id"], now)
            if took_over:
                await IdentityRepository(context.session).close_unproved_ways_in(holder["id"], now)
            await SessionRepository(context.session, holder["id"], now).end_all()
            for key in failure_keys(holder["email"], self._visitor.address, context.settings):
                await IdentityRepository(context.session).forget_failures(key)
            await context.hub.publish(
                PasswordReset(user_id=holder["id"], took_over=took_over),
                acting(context, holder["id"], holder["personal_workspace_id"]),
            )
            await _request_mail(context, "password_changed", holder)
            after_commit(context.session, proven.forget)

    async def verify_email(self, token: str) -> None:
        """Raises `InvalidMailedToken`."""
        token_hash, purpose = hash_mailed_token(token), Purpose.VERIFY_EMAIL
        async with self._transaction() as context:
            recovery, now = RecoveryRepository(context.session), context.clock()
            holder = await recovery.holder(token_hash, purpose, now)
            if holder is None or not await recovery.use_token(token_hash, purpose, now):
                raise InvalidMailedToken
            if await recovery.mark_verified(holder["id"], now):
                await context.hub.publish(
                    EmailVerified(user_id=holder["id"]), acting(context, holder["id"], holder["personal_workspace_id"])
                )

    @asynccontextmanager
    async def _transaction(self, *, write: bool = True) -> AsyncIterator[ServiceContext]:
        runtime = self._runtime
        async with runtime.database.transaction(write=write) as session:
            yield ServiceContext(runtime.settings, session, runtime.hub, NOBODY, runtime.clock, self._request_id)


class LetterService:
    """For the job that sends a mail."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._recovery = RecoveryRepository(context.session)

    async def write(self, wanted: MailRequested, job_id: str) -> Letter | None:
        """The letter, with a token that works from the commit on; None when there is no reason to send it any more.

        The token is known by the job: that of an attempt before dies, because nobody knows whether it arrived.
        """
        token, now = new_mailed_token(), self._context.clock()
        values = {**wanted.details, "to": wanted.to or ""}
        if wanted.template == "invitation":
            invitation = await self._recovery.renew_invitation(
                wanted.invitation_id or "", hash_mailed_token(token), now
            )
            if invitation is None or invitation["email"] != wanted.to:
                return None
            values["valid_for"] = in_words(invitation["expires_at"] - now)
        elif purpose := _PURPOSES.get(wanted.template):
            if not await self._put_token(wanted, purpose, token, job_id):
                return None
            values["valid_for"] = in_words(VALID[purpose])
        return render(wanted.template, values, url=self._context.settings.public_url, token=token)

    async def _put_token(self, wanted: MailRequested, purpose: Purpose, token: str, job_id: str) -> bool:
        """False when the account is gone, has another address by now, or got such a mail a moment ago."""
        recovery, now = self._recovery, self._context.clock()
        await recovery.forget_expired(now)
        user = await recovery.user(wanted.user_id or "")
        if user is None or user["email"] != wanted.to:
            return False
        if purpose is Purpose.VERIFY_EMAIL and user["email_verified_at"] is not None:
            return False
        if await recovery.sent_since(user["id"], purpose, now - MAILED_EVERY, job_id):
            return False
        await recovery.put_token(job_id, user["id"], purpose, hash_mailed_token(token), now, VALID[purpose])
        return True


def in_words(span: timedelta) -> str:
    """`30 minutes`, `24 hours`, `7 days`: whole units, rounded."""
    minutes = max(round(span.total_seconds() / 60), 1)
    for unit, size in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * size:
            return f"{round(minutes / size)} {unit}"
    return f"{minutes} minutes" if minutes > 1 else "1 minute"


async def _request_mail(
    context: ServiceContext, template: Literal["password_changed", "reset_password", "verify_email"], user: Row | None
) -> None:
    mail = MailRequested(to=user and user["email"], template=template, user_id=user and user["id"])
    if user is not None:
        context = acting(context, user["id"], user["personal_workspace_id"])
    await context.hub.publish(mail, context)
