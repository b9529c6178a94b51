"""A forgotten password and an unproved address, as a client and a mailbox see them."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update

from backend.app.core.ids import new_ulid
from backend.app.core.settings import Settings
from backend.app.db.outbox import EventRecord, JobRecord
from backend.app.db.session import Database
from backend.app.modules.auth.models import IdentityRecord, MailedTokenRecord, UserRecord
from tests.modules.auth.recovery.conftest import Deliver
from tests.support.accounts import PASSWORD, SetClock, client_of, person
from tests.support.mail import dropped, text_of, token_in

OTHER_PASSWORD = "staple battery horse correct"


@pytest.fixture
def folder(settings: Settings) -> Path:
    return settings.storage.data_dir


async def register(client: httpx2.AsyncClient, **fields: Any) -> str:
    body = person(**fields)
    assert (await client.post("/auth/register", json=body)).status_code == 201
    return str(body["email"])


async def login(client: httpx2.AsyncClient, email: str, password: str) -> httpx2.Response:
    return await client.post("/auth/login", json={"email": email, "password": password})


async def ask_for(client: httpx2.AsyncClient, path: str, email: str) -> None:
    assert (await client.post(path, json={"email": email})).status_code == 202


async def confirm(client: httpx2.AsyncClient, token: str, password: str = OTHER_PASSWORD) -> httpx2.Response:
    return await client.post("/auth/confirm-reset", json={"token": token, "password": password})


async def user_of(database: Database, email: str) -> UserRecord:
    async with database.transaction(write=False) as session:
        return (await session.scalars(select(UserRecord).where(UserRecord.email == email))).one()


async def test_a_forgotten_password_is_replaced_and_every_session_ends(
    app: FastAPI, database: Database, deliver: Deliver, folder: Path
) -> None:
    async with client_of(app) as client:
        email = await register(client)
        tokens = (await login(client, email, PASSWORD)).json()["data"]
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get("/auth/me", headers=bearer)).status_code == 200
        await ask_for(client, "/auth/reset-password", email.upper())
        await deliver()
        (mail,) = dropped(folder)
        assert mail["To"] == email
        assert "http://127.0.0.1:8000/reset-password#token=" in text_of(mail)

        assert (await confirm(client, token_in(mail))).status_code == 200
        assert (await client.get("/auth/me", headers=bearer)).status_code == 401
        refreshed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 401
        assert (await login(client, email, PASSWORD)).status_code == 401
        assert (await login(client, email, OTHER_PASSWORD)).status_code == 200
        await deliver()
    assert [mail["Subject"] for mail in dropped(folder)] == ["Choose a new password", "Your password was changed"]
    assert (await user_of(database, email)).email_verified_at is not None


async def test_an_unknown_address_is_answered_alike_and_gets_no_mail(
    app: FastAPI, database: Database, deliver: Deliver, folder: Path
) -> None:
    async with client_of(app) as client:
        known = await register(client)
        disabled = await register(client)
        async with database.transaction() as session:
            gone = update(UserRecord).where(UserRecord.email == disabled)
            await session.execute(gone.values(disabled_at=func.now()))
        for path in ("/auth/reset-password", "/auth/verify-email/resend"):
            answers = [
                await client.post(path, json={"email": email}) for email in (known, disabled, "nobody@example.com")
            ]
            assert {answer.status_code for answer in answers} == {202}
            assert len({str(answer.json()["data"]) for answer in answers}) == 1
    await deliver()
    assert {mail["To"] for mail in dropped(folder)} == {known}
    async with database.transaction(write=False) as session:
        requests = (await session.scalars(select(EventRecord).where(EventRecord.name == "mail.requested"))).all()
    assert len(requests) == 6
    assert "nobody@example.com" not in str([request.payload for request in requests])


async def test_a_password_that_is_tried_first_is_refused_and_the_link_goes_on_working(
    app: FastAPI, deliver: Deliver, folder: Path
) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        token = token_in(dropped(folder)[0])
        for password in ("short", "passwordpassword", f"{email} Lovelace"):
            refused = await confirm(client, token, password)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["pointer"] == "#/password"
        assert (await confirm(client, token)).status_code == 200


async def test_who_guessed_too_often_comes_back_by_mail(app: FastAPI, deliver: Deliver, folder: Path) -> None:
    async with client_of(app) as client:
        email = await register(client)
        while (await login(client, email, "not my password, sadly")).status_code != 429:
            pass
        assert (await login(client, email, PASSWORD)).status_code == 429
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        assert (await confirm(client, token_in(dropped(folder)[0]))).status_code == 200
        assert (await login(client, email, OTHER_PASSWORD)).status_code == 200


async def test_a_token_works_once(app: FastAPI, deliver: Deliver, folder: Path) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        token = token_in(dropped(folder)[0])
        answers = await asyncio.gather(confirm(client, token), confirm(client, token, PASSWORD + " twice"))
        assert sorted(answer.status_code for answer in answers) == [200, 422]
        again = await confirm(client, token)
        assert (again.status_code, again.json()["code"]) == (422, "mailed_token.invalid")
        won = answers[0].status_code == 200
        assert (await login(client, email, OTHER_PASSWORD if won else PASSWORD + " twice")).status_code == 200


async def test_a_token_dies_with_its_time(
    app: FastAPI, deliver: Deliver, folder: Path, clock: SetClock, database: Database
) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        clock.move(minutes=30)
        assert (await confirm(client, token_in(dropped(folder)[0]))).status_code == 422
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        async with database.transaction(write=False) as session:
            assert await session.scalar(select(func.count()).select_from(MailedTokenRecord)) == 1
        clock.move(minutes=29)
        assert (await confirm(client, token_in(dropped(folder)[1]))).status_code == 200


async def test_a_used_link_takes_the_other_links_of_its_account_with_it_and_no_one_elses(
    app: FastAPI, deliver: Deliver, folder: Path, clock: SetClock
) -> None:
    async with client_of(app) as client:
        ada, eve = await register(client), await register(client)
        await ask_for(client, "/auth/reset-password", ada)
        await ask_for(client, "/auth/reset-password", eve)
        await deliver()
        clock.move(minutes=2)
        await ask_for(client, "/auth/reset-password", ada)
        await deliver()
        tokens: dict[str, list[str]] = {ada: [], eve: []}
        for mail in dropped(folder):
            tokens[mail["To"]].append(token_in(mail))
        assert (await confirm(client, tokens[ada][0])).status_code == 200
        assert (await confirm(client, tokens[ada][1])).status_code == 422
        assert (await login(client, eve, PASSWORD)).status_code == 200
        assert (await confirm(client, tokens[eve][0])).status_code == 200


async def test_a_token_opens_only_what_it_was_mailed_for(app: FastAPI, deliver: Deliver, folder: Path) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/reset-password", email)
        await ask_for(client, "/auth/verify-email/resend", email)
        await deliver()
        by_subject = {mail["Subject"]: token_in(mail) for mail in dropped(folder)}
        reset, verify = by_subject["Choose a new password"], by_subject["Confirm your e-mail address"]
        assert (await confirm(client, verify)).status_code == 422
        assert (await client.post("/auth/verify-email", json={"token": reset})).status_code == 422
        assert (await client.post("/auth/verify-email", json={"token": verify})).status_code == 200
        assert (await client.post("/auth/verify-email", json={"token": verify})).status_code == 422
        assert (await confirm(client, reset)).status_code == 200


async def test_a_token_of_a_disabled_account_opens_nothing(
    app: FastAPI, deliver: Deliver, folder: Path, database: Database
) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        async with database.transaction() as session:
            await session.execute(update(UserRecord).values(disabled_at=func.now()))
        assert (await confirm(client, token_in(dropped(folder)[0]))).status_code == 422


async def test_a_verified_address_is_not_verified_again(app: FastAPI, deliver: Deliver, folder: Path) -> None:
    async with client_of(app) as client:
        email = await register(client)
        await ask_for(client, "/auth/verify-email/resend", email)
        await deliver()
        token = token_in(dropped(folder)[0])
        assert (await client.post("/auth/verify-email", json={"token": token})).status_code == 200
        await ask_for(client, "/auth/verify-email/resend", email)
        await deliver()
    assert len(dropped(folder)) == 1


async def test_nobody_can_flood_a_mailbox(app: FastAPI, deliver: Deliver, folder: Path, clock: SetClock) -> None:
    async with client_of(app) as client:
        email = await register(client)
        for _ in range(5):
            await ask_for(client, "/auth/reset-password", email)
            await deliver()
        assert len(dropped(folder)) == 1
        clock.move(minutes=1)
        await ask_for(client, "/auth/reset-password", email)
        await deliver()
        assert len(dropped(folder)) == 2


async def test_no_row_holds_a_token(app: FastAPI, deliver: Deliver, folder: Path, database: Database) -> None:
    async with client_of(app) as client:
        await ask_for(client, "/auth/reset-password", await register(client))
        await deliver()
    token = token_in(dropped(folder)[0])
    async with database.transaction(write=False) as session:
        for table in (EventRecord, JobRecord, MailedTokenRecord):
            rows = (await session.execute(select(*table.__table__.columns))).all()
            assert rows
            assert token not in str(rows)


@pytest.mark.parametrize("token", ["", "mt_unknown", "x" * 101, "\u0000", None, 7])
async def test_what_is_no_token_is_refused(app: FastAPI, token: Any) -> None:
    async with client_of(app) as client:
        for path, more in (("/auth/confirm-reset", {"password": OTHER_PASSWORD}), ("/auth/verify-email", {})):
            answer = await client.post(path, json={"token": token, **more})
            assert answer.status_code == 422


async def test_who_proves_an_address_that_nobody_proved_has_the_account_alone(
    app: FastAPI, database: Database, deliver: Deliver, folder: Path, clock: SetClock
) -> None:
    """Somebody may have made it in wait for the owner of the address, and kept a key and an identity of their own. Who
    proved the address long ago keeps both."""
    async with client_of(app) as client:
        email = await register(client)
        for proved in (False, True):
            tokens = (await login(client, email, PASSWORD if not proved else OTHER_PASSWORD)).json()["data"]
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            made = (await client.post("/user/api-keys", json={"name": "CI"}, headers=bearer)).json()["data"]
            user_id = (await client.get("/auth/me", headers=bearer)).json()["data"]["id"]
            async with database.transaction() as session:
                times = {"created_at": clock(), "last_used_at": clock()}
                where = {"provider": "p", "issuer": "i", "subject": f"{proved}", "email": ""}
                session.add(IdentityRecord(id=new_ulid(), user_id=user_id, **where, **times))
            clock.move(minutes=2)
            await ask_for(client, "/auth/reset-password", email)
            await deliver()
            reset = [mail for mail in dropped(folder) if mail["Subject"] == "Choose a new password"]
            assert (await confirm(client, token_in(reset[-1]))).status_code == 200
            opened = await client.get("/auth/me", headers={"X-API-Key": made["key"]})
            async with database.transaction(write=False) as session:
                left = list(await session.scalars(select(IdentityRecord.subject)))
            assert (opened.status_code, left) == ((200, ["True"]) if proved else (401, []))
    async with database.transaction(write=False) as session:
        resets = select(EventRecord.payload).where(EventRecord.name == "user.password_reset")
        told = list(await session.scalars(resets.order_by(EventRecord.position)))
    assert [payload["took_over"] for payload in told] == [True, False]
