"""Linking another identity to the account that one is signed in to, and all the ways in which it must not succeed."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from backend.app.core.settings import Settings, SsoSettings
from backend.app.db.session import Database
from backend.app.modules.auth.models import IdentityRecord, SessionRecord, UserRecord
from tests.modules.auth.sso.browsers import Browser, events, me, refused
from tests.support.accounts import PASSWORD, SetClock, application, client_of, person, sign_in, sign_up
from tests.support.oidc_provider import ADA, GitHubProvider, OidcProvider

AGAIN = (403, "auth.sign_in_again")
INVALID_STATE = (401, "sso.invalid_state")
INVALID_ANSWER = (401, "sso.invalid_answer")
TAKEN = (409, "identity.taken")


class Member(Browser):
    """A browser of somebody who is signed in with a password."""

    def __init__(self, app: FastAPI, email: str, access_token: str) -> None:
        super().__init__(app)
        self.email = email
        self.bearer = {"Authorization": f"Bearer {access_token}"}

    async def ask_to_link(self, provider: str = "corp", **body: Any) -> httpx2.Response:
        return await self.app.post(f"/auth/sso/{provider}/link", headers=self.bearer, json=body or None)

    async def to_provider(self, provider: str = "corp") -> str:
        """Where the provider sends the browser back to."""
        started = await self.ask_to_link(provider)
        assert started.status_code == 200, started.text
        return await self.visit(started.json()["data"]["authorization_url"])

    async def link(self, provider: str = "corp") -> httpx2.Response:
        return await self.come_back(await self.to_provider(provider))

    async def identities(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.app.get("/auth/identities", headers=self.bearer)).json()["data"]
        return listed

    async def id(self) -> str:
        return str((await self.app.get("/auth/me", headers=self.bearer)).json()["data"]["id"])


async def enter(app: FastAPI) -> Member:
    body = person()
    async with client_of(app) as client:
        await client.post("/auth/register", json=body)
    return Member(app, body["email"], (await sign_in(app, body["email"]))["access_token"])


@pytest.fixture
async def grace(app: FastAPI) -> Member:
    return await enter(app)


async def test_an_identity_with_any_address_opens_the_account_that_it_was_linked_to(
    app: FastAPI, grace: Member, database: Database
) -> None:
    """Its address is none of hers: that she is signed in at both places is what counts."""
    user_id = await grace.id()
    assert (await me(app, await grace.link()))["id"] == user_id
    (linked,) = await grace.identities()
    assert (linked["provider"], linked["email"]) == ("corp", "ada@corp.example")
    assert (await me(app, await Browser(app).sign_in()))["id"] == user_id
    names = [name for name, _ in await events(database)]
    assert names[2:] == ["identity.linked", "mail.requested", "user.signed_in", "user.signed_in"]


async def test_the_owner_of_the_account_is_told_by_mail(grace: Member, database: Database) -> None:
    await grace.link()
    (mail,) = [payload for name, payload in await events(database) if name == "mail.requested"]
    assert (mail["to"], mail["template"], mail["details"]) == (grace.email, "identity_linked", {"provider": "Corp"})


async def test_two_providers_and_the_same_one_again(app: FastAPI, grace: Member, github: GitHubProvider) -> None:
    github.emails = []  # it may say no address at all
    for provider in ("corp", "github", "corp"):
        assert (await me(app, await grace.link(provider)))["id"] == await grace.id()
    assert [(each["provider"], each["email"]) for each in await grace.identities()] == [
        ("github", ""),
        ("corp", "ada@corp.example"),
    ]


async def test_the_browser_is_sent_as_for_a_sign_in(grace: Member, corp: OidcProvider) -> None:
    started = await grace.ask_to_link()
    assert started.headers["cache-control"] == "no-store"
    assert "HttpOnly; SameSite=Lax" in started.headers["set-cookie"]
    url = started.json()["data"]["authorization_url"]
    for part in ("state=", "nonce=", "code_challenge=", "code_challenge_method=S256"):
        assert part in url
    assert "redirect_uri=http%3A%2F%2Ftest%2Fapi%2Fv1%2Fauth%2Fsso%2Fcorp%2Fcallback" in url


async def test_who_is_nobody_links_nothing(app: FastAPI) -> None:
    async with client_of(app) as nobody:
        assert refused(await nobody.post("/auth/sso/corp/link")) == (401, "auth.required")


async def test_an_unknown_provider_is_not_found(grace: Member) -> None:
    assert refused(await grace.ask_to_link("nobody")) == (404, "sso_provider.not_found")


async def test_an_old_sign_in_has_to_be_proved_again(grace: Member, clock: SetClock, database: Database) -> None:
    clock.move(minutes=10)
    assert refused(await grace.ask_to_link()) == AGAIN
    wrong = await grace.ask_to_link(current_password="not my password, sadly")
    assert refused(wrong) == (422, "auth.wrong_password")
    assert (await events(database))[-1][0] == "sign_in.failed"
    assert (await grace.ask_to_link(current_password=PASSWORD)).status_code == 200


async def test_the_password_cannot_be_guessed_here_either(grace: Member, clock: SetClock) -> None:
    clock.move(minutes=10)
    statuses = [(await grace.ask_to_link(current_password=f"a guess, number {n}")).status_code for n in range(6)]
    assert statuses == [422] * 5 + [429]


async def test_who_has_no_password_signs_in_again(app: FastAPI, clock: SetClock) -> None:
    browser = Browser(app)
    ada = Member(app, "", (await browser.sign_in()).json()["data"]["access_token"])
    clock.move(minutes=10)
    assert refused(await ada.ask_to_link("github")) == AGAIN
    assert refused(await ada.ask_to_link("github", current_password=PASSWORD)) == (422, "auth.wrong_password")
    ada.bearer = {"Authorization": f"Bearer {(await browser.sign_in()).json()['data']['access_token']}"}
    assert (await ada.link("github")).status_code == 200


async def test_an_api_key_links_nothing(app: FastAPI, grace: Member) -> None:
    made = await grace.app.post("/user/api-keys", json={"name": "CI"}, headers=grace.bearer)
    grace.bearer = {"X-API-Key": made.json()["data"]["key"]}
    for body in ({}, {"current_password": PASSWORD}):
        assert refused(await grace.ask_to_link(**body)) == AGAIN


async def test_an_identity_of_another_account_stays_there(app: FastAPI, grace: Member, database: Database) -> None:
    ada = (await me(app, await Browser(app).sign_in()))["id"]
    answer = await grace.link()
    assert refused(answer) == TAKEN
    assert ada not in answer.text
    assert await grace.identities() == []
    assert (await me(app, await Browser(app).sign_in()))["id"] == ada


async def test_of_two_accounts_that_link_one_identity_at_once_one_has_it(app: FastAPI, database: Database) -> None:
    both = [await enter(app) for _ in range(2)]
    backs = [await each.to_provider() for each in both]
    answers = await asyncio.gather(*(each.come_back(back) for each, back in zip(both, backs, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    async with database.transaction(write=False) as session:
        (holder,) = await session.scalars(select(IdentityRecord.user_id))
    winner = next(each for each, answer in zip(both, answers, strict=True) if answer.status_code == 200)
    assert holder == await winner.id()


async def test_another_browser_cannot_complete_it(app: FastAPI, grace: Member) -> None:
    """Nobody is made to link their identity to somebody else's account, nor the other way round (RFC 9700, 4.7)."""
    victim = await enter(app)
    assert refused(await victim.come_back(await grace.to_provider())) == INVALID_STATE
    await victim.ask_to_link()  # has a cookie, of another start
    assert refused(await victim.come_back(await grace.to_provider())) == INVALID_STATE
    assert await grace.identities() == await victim.identities() == []


async def test_a_link_works_once_for_ten_minutes_at_its_provider(grace: Member, clock: SetClock) -> None:
    back = await grace.to_provider()
    cookies = dict(grace.app.cookies)
    assert refused(await grace.come_back(back.replace("/corp/", "/github/"))) == INVALID_STATE
    back = await grace.to_provider()
    cookies = dict(grace.app.cookies)
    assert (await grace.come_back(back)).status_code == 200
    grace.app.cookies.update(cookies)
    assert refused(await grace.come_back(back)) == INVALID_STATE
    back = await grace.to_provider("github")
    clock.move(minutes=10)
    assert refused(await grace.come_back(back)) == INVALID_STATE


async def _sign_out(grace: Member, database: Database, clock: SetClock) -> None:
    assert (await grace.app.post("/auth/logout", headers=grace.bearer)).status_code == 200


async def _disable(grace: Member, database: Database, clock: SetClock) -> None:
    async with database.transaction() as session:
        await session.execute(update(UserRecord).values(disabled_at=clock()))


async def _expire(grace: Member, database: Database, clock: SetClock) -> None:
    async with database.transaction() as session:
        await session.execute(update(SessionRecord).values(expires_at=clock()))


@pytest.mark.parametrize("meanwhile", [_sign_out, _disable, _expire])
async def test_who_is_signed_out_meanwhile_links_nothing(
    grace: Member, database: Database, clock: SetClock, meanwhile: Callable[..., Any]
) -> None:
    back = await grace.to_provider()
    await meanwhile(grace, database, clock)
    assert refused(await grace.come_back(back)) == INVALID_STATE
    async with database.transaction(write=False) as session:
        assert list(await session.scalars(select(IdentityRecord.id))) == []


@pytest.mark.parametrize("claims", [{"nonce": "another"}, {"iss": "https://evil.example"}, {"aud": "x"}, {"exp": 1}])
async def test_an_id_token_that_proves_nothing_links_nothing(
    grace: Member, corp: OidcProvider, claims: dict[str, Any]
) -> None:
    corp.claims = claims
    assert refused(await grace.link()) == INVALID_ANSWER
    assert await grace.identities() == []


async def test_an_answer_of_another_issuer_or_with_a_stolen_code_links_nothing(app: FastAPI, grace: Member) -> None:
    assert refused(await grace.come_back(await grace.to_provider(), iss="https://evil.example")) == INVALID_ANSWER
    other = Browser(app)
    stolen = (await other.visit(await other.start())).partition("code=")[2].partition("&")[0]
    assert refused(await grace.come_back(await grace.to_provider(), code=stolen)) == INVALID_ANSWER
    denied = await grace.come_back(await grace.to_provider(), code=None, error="access_denied")
    assert refused(denied) == (401, "sso.denied")
    assert await grace.identities() == []


async def test_a_sign_in_links_nothing_to_who_happens_to_be_signed_in(app: FastAPI, grace: Member) -> None:
    """Only what was started as linking links."""
    assert (await me(app, await grace.sign_in()))["email"] == "ada@corp.example"
    assert await grace.identities() == []


async def test_an_identity_at_a_provider_that_is_gone_is_no_way_in(
    app: FastAPI, settings: Settings, database: Database, clock: SetClock, github: GitHubProvider
) -> None:
    browser = Browser(app)
    tokens = (await browser.sign_in()).json()["data"]
    ada = Member(app, "", tokens["access_token"])
    await ada.link("github")
    await ada.app.aclose()
    left = settings.model_copy(update={"sso": SsoSettings(oidc=settings.sso.oidc)})
    async with client_of(application(left, database, clock=clock), ada.bearer) as client:
        by_provider = {each["provider"]: each["id"] for each in (await client.get("/auth/identities")).json()["data"]}
        assert refused(await client.delete(f"/auth/identities/{by_provider['corp']}")) == (409, "identity.last_way_in")
        assert (await client.delete(f"/auth/identities/{by_provider['github']}")).status_code == 200


async def test_what_was_linked_can_be_taken_off_and_opens_nothing_then(app: FastAPI, grace: Member) -> None:
    await grace.link()
    (identity,) = await grace.identities()
    eve = await sign_up(app)
    assert (await eve.delete(f"/auth/identities/{identity['id']}")).status_code == 404
    await eve.aclose()
    assert (await grace.app.delete(f"/auth/identities/{identity['id']}", headers=grace.bearer)).status_code == 200
    assert (await me(app, await Browser(app).sign_in()))["id"] != await grace.id()


async def test_what_is_linked_and_taken_off_stands_on_the_timelines(app: FastAPI, grace: Member) -> None:
    await grace.link()
    (identity,) = await grace.identities()
    await grace.app.delete(f"/auth/identities/{identity['id']}", headers=grace.bearer)
    for path in ("/events", f"/users/{await grace.id()}/events"):
        rows = (await grace.app.get(f"{path}?name=identity.*", headers=grace.bearer)).json()["data"]
        assert [row["name"] for row in rows] == ["identity.removed", "identity.linked"], path
        assert {row["payload"]["identity_id"] for row in rows} == {identity["id"]}


async def test_a_first_sign_in_that_loses_to_a_link_opens_nothing(
    app: FastAPI, grace: Member, corp: OidcProvider, database: Database
) -> None:
    """The same identity at once: here as a new person, there linked to an account. Whoever comes second gets what is
    linked by then, or is refused, and never another account."""
    corp.person = {**ADA, "email": "new@corp.example"}
    browser = Browser(app)
    backs = [await grace.to_provider(), await browser.visit(await browser.start())]
    linked, signed_in = await asyncio.gather(grace.come_back(backs[0]), browser.come_back(backs[1]))
    async with database.transaction(write=False) as session:
        (holder,) = await session.scalars(select(IdentityRecord.user_id))
    for answer in (linked, signed_in):
        if answer.status_code == 200:
            assert (await me(app, answer))["id"] == holder
        else:
            assert refused(answer) in (TAKEN, (403, "sso.account_refused"))
