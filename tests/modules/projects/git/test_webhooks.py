"""Webhooks that are registered at the providers, each by its own API."""

from base64 import b64encode
from typing import Any

import httpx2
import pytest

from backend.app.db.session import Database
from backend.app.extensions.http_client.policy import parse_url
from backend.app.modules.projects.git.providers import PROVIDERS
from backend.app.modules.projects.git.schemas import Provider
from tests.modules.projects.git.test_service import UNCHECKED, add, names_of_events
from tests.support.fake_git_hosts import FakeApis
from tests.support.git_host import GitHost

TOKEN = "token-that-manages-webhooks"
BEARER = ("Authorization", f"Bearer {TOKEN}")


def source_at(host: GitHost, provider: str) -> tuple[FakeApis, dict[str, Any]]:
    """The API of a provider, and what a source there needs."""
    fakes = {
        "github": (FakeApis(BEARER, "ada/shop"), {"url": f"{host.url}/ada/shop.git"}),
        "gitlab": (FakeApis(("PRIVATE-TOKEN", TOKEN), "team%2Fshop"), {"url": f"{host.url}/team/shop.git"}),
        "bitbucket": (
            FakeApis(BEARER, "ada/shop"),
            {"url": f"{host.url}/ada/shop.git", "api_url": f"{host.url}/2.0"},
        ),
        "bitbucket_server": (FakeApis(BEARER, "SHOP/repos/api"), {"url": f"{host.url}/scm/SHOP/api.git"}),
    }
    fake, fields = fakes[provider]
    host.answer = fake.answer
    return fake, {**fields, "provider": provider, "credential": {"secret": TOKEN}}


def secrets_of(hook: dict[str, Any]) -> set[str]:
    places = (hook, hook.get("config", {}), hook.get("configuration", {}))
    return {place[name] for place in places for name in ("secret", "token", "signing_token") if name in place}


@pytest.mark.parametrize("provider", list(Provider))
async def test_a_webhook_is_made_brought_up_to_date_and_removed(
    provider: str, ada: httpx2.AsyncClient, project: str, host: GitHost, database: Database
) -> None:
    fake, fields = source_at(host, provider)
    made = await add(ada, project, **fields)
    path = f"{project}/git-sources/{made['id']}"
    registered = await ada.post(f"{path}/webhook")
    assert registered.status_code == 200, registered.text
    assert registered.json()["data"]["webhook_registered_at"] is not None
    (hook,) = fake.hooks.values()
    assert made["webhook_url"] in (hook.get("url"), hook.get("config", {}).get("url"))
    assert secrets_of(hook) == {made["webhook_secret"]}

    rotated = (await ada.post(f"{path}/webhook-secret")).json()["data"]["webhook_secret"]
    assert (await ada.post(f"{path}/webhook")).status_code == 200
    assert [secrets_of(hook) for hook in fake.hooks.values()] == [{rotated}]
    moved = await ada.patch(path, json={"url": f"{fields['url']}x"}, params=UNCHECKED)
    assert (moved.status_code, moved.json()["code"]) == (409, "git_webhook.registered")

    fake.hooks.clear()  # somebody removed it there
    assert (await ada.post(f"{path}/webhook")).status_code == 200
    assert len(fake.hooks) == 1
    removed = await ada.delete(f"{path}/webhook")
    assert (removed.status_code, removed.json()["data"]["webhook_registered_at"]) == (200, None)
    assert fake.hooks == {}
    again = await ada.delete(f"{path}/webhook")
    assert (again.status_code, again.json()["code"]) == (404, "git_webhook.not_found")
    events = [name.partition(".")[2] for name in await names_of_events(database)]
    assert events == [
        "created",
        "webhook_registered",
        "webhook_secret_rotated",
        *["webhook_registered"] * 2,
        "webhook_removed",
    ]


async def test_one_that_is_there_already_is_taken_over(ada: httpx2.AsyncClient, project: str, host: GitHost) -> None:
    fake, fields = source_at(host, "github")
    made = await add(ada, project, **fields)
    theirs = {"id": 8, "config": {"url": "https://ci.example/hook"}}
    fake.hooks = {"8": theirs, "9": {"id": 9, "config": {"url": made["webhook_url"]}}}
    assert (await ada.post(f"{project}/git-sources/{made['id']}/webhook")).status_code == 200
    assert (set(fake.hooks), fake.hooks["8"], secrets_of(fake.hooks["9"])) == (
        {"8", "9"},
        theirs,
        {made["webhook_secret"]},
    )


BROKEN: Any = [
    ((403, {}, b""), 422, "git_host.refused"),
    ((404, {}, b""), 422, "git_host.refused"),
    ((500, {}, b""), 503, "git_host.unavailable"),
    ((429, {}, b""), 503, "git_host.unavailable"),
    ((302, {"Location": "https://evil.example"}, b""), 502, "git_host.faulty"),
    ((200, {}, b"<html>"), 502, "git_host.faulty"),
    ((200, {}, b'{"no": "id"}'), 502, "git_host.faulty"),
]


async def test_providers_that_do_not_help(ada: httpx2.AsyncClient, project: str, host: GitHost) -> None:
    fake, fields = source_at(host, "github")
    made = await add(ada, project, **fields)
    for broken, status, code in BROKEN:
        fake.broken = broken
        answer = await ada.post(f"{project}/git-sources/{made['id']}/webhook")
        assert (answer.status_code, answer.json()["code"]) == (status, code), broken
        assert TOKEN not in answer.text
    read = await ada.get(f"{project}/git-sources/{made['id']}")
    assert read.json()["data"]["webhook_registered_at"] is None


async def test_it_needs_a_provider_and_a_credential(ada: httpx2.AsyncClient, project: str) -> None:
    public = await add(ada, project)
    unknown = await add(ada, project, name="x", url="https://git.example/a.git", credential={"secret": TOKEN})
    for made in (public, unknown):
        answer = await ada.post(f"{project}/git-sources/{made['id']}/webhook")
        assert (answer.status_code, answer.json()["code"]) == (409, "git_source.no_provider")


@pytest.mark.parametrize(
    ("provider", "url", "api", "hooks"),
    [
        ("github", "https://github.com/ada/shop.git", "https://api.github.com", "/repos/ada/shop/hooks"),
        ("github", "https://x.ghe.com/ada/shop", "https://api.x.ghe.com", "/repos/ada/shop/hooks"),
        ("github", "https://git.example:8443/ada/shop", "https://git.example:8443/api/v3", "/repos/ada/shop/hooks"),
        ("gitlab", "https://gitlab.com/a/b/c.git", "https://gitlab.com/api/v4", "/projects/a%2Fb%2Fc/hooks"),
        ("bitbucket", "https://bitbucket.org/a/b.git", "https://api.bitbucket.org/2.0", "/repositories/a/b/hooks"),
        (
            "bitbucket_server",
            "https://code.example/scm/~ada/b.git",
            "https://code.example/rest/api/1.0",
            "/projects/~ada/repos/b/webhooks",
        ),
    ],
)
def test_where_the_apis_are(provider: str, url: str, api: str, hooks: str) -> None:
    host, target = PROVIDERS[Provider(provider)], parse_url(url)
    assert (host.api_url(target), host.hooks(target, api)) == (api, hooks)


def test_gitlab_below_a_path() -> None:
    host, target = PROVIDERS[Provider.GITLAB], parse_url("https://code.example/gitlab/a/b.git")
    assert host.hooks(target, "https://code.example/gitlab/api/v4") == "/projects/a%2Fb/hooks"


async def test_passwords_go_by_basic_authentication(ada: httpx2.AsyncClient, project: str, host: GitHost) -> None:
    pair = b64encode(f"ada:{TOKEN}".encode()).decode()
    fake, fields = source_at(host, "bitbucket")
    fake.authorization = ("Authorization", f"Basic {pair}")
    made = await add(ada, project, **{**fields, "credential": {"username": "ada", "secret": TOKEN}})
    assert (await ada.post(f"{project}/git-sources/{made['id']}/webhook")).status_code == 200
