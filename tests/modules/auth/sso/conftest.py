from collections.abc import Iterator
from functools import partial

import pytest
from fastapi import FastAPI

from backend.app.core.settings import HttpSettings, OidcProvider, Settings, SsoSettings, WebSettings
from backend.app.db.session import Database
from backend.app.modules.auth.sso import dependencies
from backend.app.modules.auth.sso.providers import configured_providers
from backend.app.modules.auth.sso.providers.openid import documents
from backend.app.modules.events.router import router as events_router
from tests.support import oidc_provider
from tests.support.accounts import SetClock, application
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, GitHubProvider, serving


@pytest.fixture(autouse=True)
def _no_provider_is_known() -> Iterator[None]:
    documents.forget()
    yield
    documents.forget()


@pytest.fixture
def corp(clock: SetClock) -> Iterator[oidc_provider.OidcProvider]:
    """An OpenID Connect provider that is trusted for `corp.example`."""
    provider = oidc_provider.OidcProvider(clock=clock)
    with serving(provider):
        yield provider


@pytest.fixture
def github(clock: SetClock) -> Iterator[GitHubProvider]:
    provider = GitHubProvider(clock=clock)
    with serving(provider):
        yield provider


@pytest.fixture
def http(request: pytest.FixtureRequest) -> HttpSettings:
    """Impatient only with a provider that is told not to end its answer: others may be slow, as the machine is."""
    callspec = getattr(request.node, "callspec", None)
    endless = callspec is not None and callspec.params.get("fault") in ("hang", "drip")
    return HttpSettings(deadline_s=0.3) if endless else HttpSettings()


@pytest.fixture
def settings(settings: Settings, http: HttpSettings, corp: oidc_provider.OidcProvider) -> Settings:
    provider = OidcProvider(
        issuer=corp.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        label="Corp",
        trusted_domains=("corp.example",),
    )
    return settings.model_copy(
        update={
            "web": WebSettings(public_url="http://test"),
            "http": http,
            "sso": SsoSettings(github_client_id=CLIENT_ID, github_client_secret=CLIENT_SECRET, oidc={"corp": provider}),
        }
    )


@pytest.fixture
def app(
    settings: Settings,
    database: Database,
    clock: SetClock,
    github: GitHubProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> FastAPI:
    local = partial(configured_providers, github=(github.url, github.url))
    monkeypatch.setattr(dependencies, "configured_providers", local)
    return application(settings, database, events_router, clock=clock)
