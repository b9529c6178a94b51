"""Which account a sign-in opens: by identity, by an address that somebody is believed about, or a new one."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from backend.app.db.session import Database
from backend.app.modules.auth.models import IdentityRecord, SessionRecord, UserRecord
from tests.modules.auth.sso.browsers import Browser, events, me, refused
from tests.support.accounts import PASSWORD, SetClock, client_of, sign_in, sign_up
from tests.support.oidc_provider import ADA, GitHubProvider, OidcProvider

REFUSED = (403, "sso.account_refused")


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app)


async def change_user(database: Database, **values: Any) -> None:
    async with database.transaction() as session:
        await session.execute(update(UserRecord).values(**values))


async def password_works(app: FastAPI, email: str) -> bool:
    async with client_of(app) as client:
        answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
    return answer.status_code == 200


async def test_an_identity_stays_the_same_person_whatever_the_address(
    app: FastAPI, browser: Browser, corp: OidcProvider, database: Database, clock: SetClock
) -> None:
    first = await me(app, await browser.sign_in())
    clock.move(days=1)
    for changed in ({"email": "else@corp.example"}, {"email_verified": False}, {"email": None}):
        corp.person = {**ADA, **changed}
        assert (await me(app, await browser.sign_in()))["id"] == first["id"]
    corp.person = {**ADA, "sub": "somebody-else", "email": "ada@elsewhere.example"}
    assert (await me(app, await browser.sign_in()))["id"] != first["id"]
    async with database.transaction(write=False) as session:
        used = list(await session.scalars(select(IdentityRecord.last_used_at).order_by(IdentityRecord.id)))
    assert used == [clock(), clock()]


async def test_a_session_says_how_and_with_what_it_came_about(browser: Browser, database: Database) -> None:
    browser.app.headers["User-Agent"] = "a browser"
    assert (await browser.sign_in("github")).status_code == 200
    async with database.transaction(write=False) as session:
        rows = await session.execute(select(SessionRecord.method, SessionRecord.user_agent))
        assert [tuple(row) for row in rows] == [("sso:github", "a browser")]


async def test_a_verified_account_is_linked_and_keeps_its_password(
    app: FastAPI, browser: Browser, database: Database, clock: SetClock
) -> None:
    async with await sign_up(app, email="Ada@corp.example") as client:
        await change_user(database, email_verified_at=clock())
        user = await me(app, await browser.sign_in())
        assert user["id"] == (await client.get("/auth/me")).json()["data"]["id"]
    assert await password_works(app, "ada@corp.example")
    (_, linked), _ = [each for each in await events(database) if each[0] in ("identity.linked", "user.signed_in")][
        -3:-1
    ]
    assert (linked["user_id"], linked["provider"], linked["took_over"]) == (user["id"], "corp", False)


async def test_who_proves_an_address_that_nobody_proved_has_the_account_alone(
    app: FastAPI, browser: Browser, database: Database
) -> None:
    """Somebody may have made it in wait for the owner of the address."""
    squatter = await sign_up(app, email="ada@corp.example")
    key = (await squatter.post("/user/api-keys", json={"name": "k"})).json()["data"]["key"]
    tokens = await sign_in(app, "ada@corp.example")
    user_id = (await squatter.get("/auth/me")).json()["data"]["id"]

    assert (await me(app, await browser.sign_in()))["id"] == user_id

    assert (await squatter.get("/auth/me")).status_code == 401
    async with client_of(app) as client:
        assert (await client.get("/auth/me", headers={"X-API-Key": key})).status_code == 401
        refreshed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        assert refreshed.status_code == 401
    assert not await password_works(app, "ada@corp.example")
    assert (await browser.sign_in()).status_code == 200
    (linked,) = [payload for name, payload in await events(database) if name == "identity.linked"]
    assert linked["took_over"] is True
    await squatter.aclose()


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ({"email_verified": False}, "unverified"),
        ({"email_verified": None}, "unverified"),
        ({"email_verified": "true"}, "unverified"),
        ({"email_verified": 1}, "unverified"),
        ({"email": "ada@elsewhere.example"}, "untrusted"),
        ({"email": "ada@sub.corp.example"}, "untrusted"),
        ({"email": "ada@evilcorp.example"}, "untrusted"),
    ],
    ids=repr,
)
async def test_an_account_is_not_linked_by_an_unverified_or_untrusted_address(
    app: FastAPI, browser: Browser, corp: OidcProvider, database: Database, person: dict[str, Any], reason: str
) -> None:
    corp.person = {**ADA, **person}
    async with await sign_up(app, email=corp.person["email"]) as client:
        user_id = (await client.get("/auth/me")).json()["data"]["id"]
        assert refused(await browser.sign_in()) == REFUSED
        assert (await client.get("/auth/me")).status_code == 200
    name, payload = (await events(database))[-1]
    assert (name, payload["user_id"], payload["reason"]) == ("sso_sign_in.refused", user_id, reason)


async def test_every_refusal_reads_alike(app: FastAPI, browser: Browser, corp: OidcProvider) -> None:
    await (await sign_up(app, email="ada@corp.example")).aclose()
    bodies = []
    for person in ({"email_verified": False}, {"email_verified": False, "email": "new@corp.example"}, {"email": None}):
        corp.person = {**ADA, **person}
        bodies.append({**(await browser.sign_in()).json(), "request_id": ""})
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("email", [None, 7, "nobody", "a@b@c", "ada\x00@corp.example", ["ada@corp.example"], "x" * 400])
async def test_nobody_new_comes_in_without_a_usable_address(browser: Browser, corp: OidcProvider, email: Any) -> None:
    corp.person = {**ADA, "email": email}
    assert refused(await browser.sign_in()) == REFUSED


async def test_an_address_counts_as_proved_only_when_the_provider_is_trusted_for_it(
    browser: Browser, corp: OidcProvider, database: Database, clock: SetClock
) -> None:
    assert (await browser.sign_in()).status_code == 200
    corp.person = {**ADA, "sub": "2", "email": "ada@elsewhere.example"}
    assert (await browser.sign_in()).status_code == 200
    async with database.transaction(write=False) as session:
        rows = await session.execute(select(UserRecord.email, UserRecord.email_verified_at, UserRecord.password_hash))
        assert {row[0]: row[1:] for row in rows} == {
            "ada@corp.example": (clock(), None),
            "ada@elsewhere.example": (None, None),
        }


async def test_who_has_no_password_cannot_sign_in_with_one(app: FastAPI, browser: Browser) -> None:
    await browser.sign_in()
    assert not await password_works(app, "ada@corp.example")


async def test_a_disabled_user_is_refused(
    app: FastAPI, browser: Browser, database: Database, clock: SetClock, github: GitHubProvider
) -> None:
    assert (await browser.sign_in()).status_code == 200
    await change_user(database, disabled_at=clock())
    for provider in ("corp", "github"):  # the known identity, and the address
        assert refused(await browser.sign_in(provider)) == REFUSED
        name, payload = (await events(database))[-1]
        assert (name, payload["provider"], payload["reason"]) == ("sso_sign_in.refused", provider, "disabled")


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"given_name": " Ada\n", "family_name": "Lovelace"}, ("Ada", "Lovelace")),
        ({"given_name": None, "family_name": None, "name": "Ada King Lovelace"}, ("Ada", "King Lovelace")),
        ({"given_name": None, "family_name": None}, ("ada", "")),
        ({"given_name": 1, "family_name": ["x"]}, ("ada", "")),
        ({"given_name": "\ud800\x00", "family_name": "x" * 300}, ("ada", "x" * 100)),
    ],
)
async def test_whatever_names_a_provider_gives_are_one_line(
    app: FastAPI, browser: Browser, corp: OidcProvider, person: dict[str, Any], expected: tuple[str, str]
) -> None:
    corp.person = {**ADA, **person}
    user = await me(app, await browser.sign_in())
    assert (user["first_name"], user["last_name"]) == expected


async def test_github_signs_in_by_its_verified_primary_address(
    app: FastAPI, browser: Browser, github: GitHubProvider
) -> None:
    first = await me(app, await browser.sign_in("github"))
    assert (first["email"], first["first_name"], first["last_name"]) == ("ada@corp.example", "Ada", "Lovelace")
    github.emails = []
    github.answer = {"iss": f"{github.url}/login/oauth"}
    assert (await me(app, await browser.sign_in("github")))["id"] == first["id"]


async def test_two_providers_open_one_account(app: FastAPI, browser: Browser) -> None:
    first = await me(app, await browser.sign_in("github"))
    assert (await me(app, await browser.sign_in("corp")))["id"] == first["id"]
    assert (await me(app, await browser.sign_in("github")))["id"] == first["id"]


@pytest.mark.parametrize(
    "emails",
    [
        [],
        [{"email": "ada@corp.example", "primary": True, "verified": False}],
        [{"email": "ada@corp.example", "primary": True, "verified": "true"}],
        [{"email": "ada@corp.example", "primary": False, "verified": True}],
        ["ada@corp.example", None, {}],
    ],
    ids=repr,
)
async def test_github_without_a_verified_primary_address_lets_nobody_new_in(
    browser: Browser, github: GitHubProvider, emails: list[Any]
) -> None:
    github.emails = emails
    assert refused(await browser.sign_in("github")) == REFUSED


def _without_id(github: GitHubProvider) -> None:
    github.person = {"login": "ada"}


def _odd_emails(github: GitHubProvider) -> None:
    github.emails = {"email": "ada@corp.example"}  # type: ignore[assignment]


def _another_issuer(github: GitHubProvider) -> None:
    github.answer = {"iss": "https://evil.example"}


def _spent_code(github: GitHubProvider) -> None:
    github.answer = {"code": "spent"}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_without_id, (502, "sso_provider.faulty")),
        (_odd_emails, (502, "sso_provider.faulty")),
        (_another_issuer, (401, "sso.invalid_answer")),
        (_spent_code, (401, "sso.invalid_answer")),
    ],
)
async def test_github_that_misbehaves_signs_nobody_in(
    browser: Browser, github: GitHubProvider, spoil: Callable[[GitHubProvider], None], expected: tuple[int, str]
) -> None:
    spoil(github)
    assert refused(await browser.sign_in("github")) == expected


async def test_the_identities_of_a_user_are_theirs_to_see_and_to_remove(
    app: FastAPI, browser: Browser, database: Database, corp: OidcProvider
) -> None:
    tokens = [(await browser.sign_in(name)).json()["data"] for name in ("github", "corp")]
    corp.person = {**ADA, "sub": "2", "email": "eve@corp.example"}
    eve = (await browser.sign_in()).json()["data"]
    async with client_of(app, {"Authorization": f"Bearer {tokens[0]['access_token']}"}) as client:
        listed = (await client.get("/auth/identities")).json()["data"]
        assert [each["provider"] for each in listed] == ["corp", "github"]
        assert {each["email"] for each in listed} == {"ada@corp.example"}
        async with client_of(app, {"Authorization": f"Bearer {eve['access_token']}"}) as other:
            answer = await other.delete(f"/auth/identities/{listed[0]['id']}")
            assert refused(answer) == (404, "identity.not_found")
        assert (await client.delete(f"/auth/identities/{listed[0]['id']}")).status_code == 200
        last = await client.delete(f"/auth/identities/{listed[1]['id']}")
        assert refused(last) == (409, "identity.last_way_in")
        assert len((await client.get("/auth/identities")).json()["data"]) == 1
    (removed,) = [payload for name, payload in await events(database) if name == "identity.removed"]
    assert (removed["identity_id"], removed["provider"]) == (listed[0]["id"], "corp")


async def test_the_last_identity_may_go_where_there_is_a_password(
    app: FastAPI, browser: Browser, database: Database, clock: SetClock
) -> None:
    async with await sign_up(app, email="ada@corp.example") as client:
        await change_user(database, email_verified_at=clock())
        assert (await browser.sign_in()).status_code == 200
        (identity,) = (await client.get("/auth/identities")).json()["data"]
        assert (await client.delete(f"/auth/identities/{identity['id']}")).status_code == 200
    assert await password_works(app, "ada@corp.example")
