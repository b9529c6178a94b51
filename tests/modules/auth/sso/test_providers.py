"""Which providers an installation has, and about which addresses each is believed."""

from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from backend.app.core.settings import Settings, SsoSettings
from backend.app.db.session import Database
from backend.app.modules.auth.sso import dependencies
from backend.app.modules.auth.sso.providers import configured_providers
from tests.modules.auth.sso.browsers import Browser, me, refused
from tests.support.accounts import SetClock, application, sign_up
from tests.support.oidc_provider import ADA, CLIENT_ID, CLIENT_SECRET, OidcProvider


@pytest.fixture
def app(
    settings: Settings, database: Database, clock: SetClock, corp: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> FastAPI:
    """Google is played by `corp`."""
    monkeypatch.setattr(dependencies, "configured_providers", partial(configured_providers, google=corp.url))
    sso = SsoSettings(google_client_id=CLIENT_ID, google_client_secret=CLIENT_SECRET)
    return application(settings.model_copy(update={"sso": sso}), database, clock=clock)


@pytest.mark.parametrize(
    ("person", "linked"),
    [
        ({"email": "ada@gmail.com"}, True),
        ({"email": "Ada@GoogleMail.com"}, True),
        ({"email": "ada@hosted.example", "hd": "hosted.example"}, True),
        ({"email": "ada@hosted.example"}, False),
        ({"email": "ada@hosted.example", "hd": "other.example"}, False),
        ({"email": "ada@hosted.example", "hd": ["hosted.example"]}, False),
        ({"email": "ada@gmail.com", "email_verified": False}, False),
        ({"email": "ada@notgmail.com"}, False),
    ],
    ids=repr,
)
async def test_google_is_believed_about_its_own_and_its_hosted_domains(
    app: FastAPI, corp: OidcProvider, person: dict[str, Any], linked: bool
) -> None:
    corp.person = {**ADA, **person}
    async with await sign_up(app, email=person["email"]) as client:
        user_id = (await client.get("/auth/me")).json()["data"]["id"]
    answer = await Browser(app).sign_in("google")
    if linked:
        assert (await me(app, answer))["id"] == user_id
    else:
        assert refused(answer) == (403, "sso.account_refused")


def test_nothing_is_offered_that_is_not_configured() -> None:
    assert configured_providers(Settings()) == {}


def test_a_provider_is_known_by_its_real_address_unless_told_otherwise() -> None:
    sso = SsoSettings(github_client_id="a", github_client_secret="b", google_client_id="c", google_client_secret="d")
    providers: dict[str, Any] = dict(configured_providers(Settings(sso=sso)))
    assert [*providers] == ["github", "google"]
    assert providers["github"].issuer == "https://github.com/login/oauth"
    assert providers["github"].api == "https://api.github.com"
    assert providers["google"].issuer == "https://accounts.google.com"


def test_a_provider_shows_no_secret() -> None:
    sso = SsoSettings(
        github_client_id="a", github_client_secret="hush", google_client_id="c", google_client_secret="hush"
    )
    assert "hush" not in repr(configured_providers(Settings(sso=sso)))


CORP = {"issuer": "https://id.example", "client_id": "c", "client_secret": "s"}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"github_client_id": "a"}, "github_client_secret"),
        ({"google_client_secret": "a"}, "google_client_id"),
        ({"oidc": {"Corp": CORP}}, "oidc.Corp"),
        ({"oidc": {"a/b": CORP}}, "oidc.a/b"),
        ({"oidc": {"x" * 41: CORP}}, "oidc.x"),
        ({"oidc": {"github": CORP}}, "github"),
        ({"oidc": {"google": CORP}}, "google"),
    ],
)
def test_a_setting_that_cannot_work_stops_the_start(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SsoSettings(**settings)


def test_any_domain_can_be_trusted() -> None:
    corp = {**CORP, "trusted_domains": ["*"]}
    providers: dict[str, Any] = dict(configured_providers(Settings(sso=SsoSettings(oidc={"corp": corp}))))
    assert providers["corp"].trust("whatever.example", {})
    assert providers["corp"].label == "corp"
