"""A mail is sent, or tried again with a token that replaces the one before, or given up."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from backend.app.core.context import ServiceContext
from backend.app.core.ids import new_ulid
from backend.app.core.performer import Performer
from backend.app.core.permissions import system_principal
from backend.app.core.runner import Runner
from backend.app.core.runtime import Runtime
from backend.app.core.settings import MailSettings
from backend.app.db.outbox import JobRecord, JobStatus
from backend.app.db.session import Database
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.modules.auth.credentials.mailed_tokens import hash_mailed_token
from backend.app.modules.auth.events import MailRequested
from backend.app.modules.auth.models import InvitationRecord, MailedTokenRecord, UserRecord, WorkspaceRecord
from backend.app.modules.auth.recovery.handlers import send_mail
from backend.app.modules.auth.recovery.service import in_words
from tests.support.accounts import SetClock, client_of, person
from tests.support.mail import text_of, token_in
from tests.support.smtp import HOST, Mailbox, smtp_server


class Office:
    """An installation with an SMTP server at `mailbox`, and one user."""

    def __init__(self, app: FastAPI, mailbox: Mailbox, clock: SetClock) -> None:
        runtime: Runtime = app.state.runtime
        mail = MailSettings(host=HOST, port=mailbox.port, security="none")
        self.settings = runtime.settings.model_copy(update={"mail": mail})
        self.database, self.hub, self.clock = runtime.database, runtime.hub, clock
        self.hub.on(MailRequested, queue="outgoing", attempts=3)(send_mail)
        self.app = app

    async def sign_up(self) -> UserRecord:
        body = person()
        async with client_of(self.app) as client:
            assert (await client.post("/auth/register", json=body)).status_code == 201
        async with self.database.transaction(write=False) as session:
            return (await session.scalars(select(UserRecord).where(UserRecord.email == body["email"]))).one()

    async def ask(self, **fields: Any) -> None:
        async with self.database.transaction() as session:
            principal = system_principal(new_ulid())
            context = ServiceContext(self.settings, session, self.hub, principal, self.clock, "request")
            await self.hub.publish(MailRequested(**fields), context)

    async def work(self, attempts: int = 1) -> JobRecord:
        """Performs the one job so often, without waiting for its turn; answers how it stands."""
        runner = Runner(self.database, self.hub, self.settings, self.clock)
        for _ in range(attempts):
            async with self.database.transaction(EVERY_WORKSPACE) as session:
                job = (await session.scalars(select(JobRecord).where(JobRecord.handler == "auth.send_mail"))).one()
                if job.status == JobStatus.PENDING:
                    job.available_at -= timedelta(hours=1)
            await Performer(runner).drain()
        async with self.database.transaction(EVERY_WORKSPACE, write=False) as session:
            return (await session.scalars(select(JobRecord).where(JobRecord.handler == "auth.send_mail"))).one()


async def test_a_mail_that_was_put_off_is_sent_with_another_token(
    app: FastAPI, database: Database, clock: SetClock
) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
        user = await office.sign_up()
        mailbox.replies += ["451 try later"]
        await office.ask(to=user.email, template="reset_password", user_id=user.id)
        assert (await office.work()).status == JobStatus.PENDING
        async with database.transaction(write=False) as session:
            (first,) = (await session.scalars(select(MailedTokenRecord.token_hash))).all()
        assert (await office.work()).status == JobStatus.DONE
    async with database.transaction(write=False) as session:
        (second,) = (await session.scalars(select(MailedTokenRecord.token_hash))).all()
    (mail,) = mailbox.messages
    assert second == hash_mailed_token(token_in(mail)) != first


async def test_a_server_that_is_away_is_tried_until_the_attempts_are_used_up(app: FastAPI, clock: SetClock) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
    user = await office.sign_up()
    await office.ask(to=user.email, template="password_changed", user_id=user.id)
    assert (await office.work()).status == JobStatus.PENDING
    job = await office.work(2)
    assert (job.status, job.attempts) == (JobStatus.DEAD, 3)


async def test_a_refused_recipient_is_not_tried_again(app: FastAPI, clock: SetClock) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
        user = await office.sign_up()
        mailbox.replies += ["550 no such user"]
        await office.ask(to=user.email, template="password_changed", user_id=user.id)
        job = await office.work()
    assert (job.status, job.attempts) == (JobStatus.DEAD, 1)
    assert "no such user" in str(job.error)


async def test_nothing_is_sent_to_an_address_that_the_account_no_longer_has(app: FastAPI, clock: SetClock) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
        user = await office.sign_up()
        await office.ask(to="former@example.com", template="reset_password", user_id=user.id)
        assert (await office.work()).status == JobStatus.DONE
    assert mailbox.messages == []


async def test_who_signs_up_again_gets_a_way_back(app: FastAPI, clock: SetClock) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
        user = await office.sign_up()
        await office.ask(to=user.email, template="sign_up_repeated", user_id=user.id)
        await office.work()
        async with client_of(app) as client:
            body = {"token": token_in(mailbox.messages[0]), "password": "staple battery horse correct"}
            assert (await client.post("/auth/confirm-reset", json=body)).status_code == 200


@pytest.mark.parametrize(("to", "sent"), [("guest@example.com", True), ("stranger@example.com", False)])
async def test_an_invitation_gets_its_token_when_it_is_sent(
    app: FastAPI, database: Database, clock: SetClock, to: str, sent: bool
) -> None:
    async with smtp_server() as mailbox:
        office = Office(app, mailbox, clock)
        user = await office.sign_up()
        invitation_id = new_ulid()
        async with database.transaction() as session:
            workspace_id = await session.scalar(select(WorkspaceRecord.id))
            await session.execute(
                insert(InvitationRecord).values(
                    id=invitation_id,
                    workspace_id=workspace_id,
                    email="guest@example.com",
                    role="viewer",
                    token_hash="0" * 64,
                    invited_by=user.id,
                    created_at=clock(),
                    expires_at=clock() + timedelta(days=7),
                )
            )
        details = {"workspace": "<b>Lab</b>", "inviter": "Ada", "role": "viewer"}
        await office.ask(to=to, template="invitation", invitation_id=invitation_id, details=details)
        await office.work()
    assert len(mailbox.messages) == sent
    async with database.transaction(write=False) as session:
        kept = await session.scalar(select(InvitationRecord.token_hash))
    if sent:
        assert kept == hash_mailed_token(token_in(mailbox.messages[0]))
        assert 'the workspace "<b>Lab</b>", as viewer' in text_of(mailbox.messages[0])
        assert "holds for 7 days" in text_of(mailbox.messages[0])


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=30), "30 minutes"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(days=7, seconds=-3), "7 days"),
        (timedelta(seconds=5), "1 minute"),
        (timedelta(minutes=119), "119 minutes"),
    ],
)
def test_a_span_is_said_in_words(span: timedelta, words: str) -> None:
    assert in_words(span) == words
