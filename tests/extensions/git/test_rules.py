"""What is refused before a process starts: every URL and ref of the given payloads, and every hostile host."""

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.extensions.git import CheckoutOrder, GitError, Reason, head_of
from backend.app.extensions.git.rules import repository_url, require_branch, require_subfolder
from backend.app.extensions.http_client import OutgoingPolicy
from tests.extensions.http_client.targets import PRODUCTION, Names
from tests.support.payloads import load

CASES = load("git.json")
PUBLIC = "93.184.215.14"


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES if case["kind"] == kind]


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


async def refused(order: CheckoutOrder, names: Names | None = None) -> GitError:
    with pytest.raises(GitError) as caught:
        await head_of(order, PRODUCTION, resolver=names or Names())
    return caught.value


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("case", of_kind("url"))
async def test_hostile_urls(case: dict[str, Any]) -> None:
    names = Names()
    names.set("example.com", [PUBLIC])
    error = await refused(CheckoutOrder("x", case["value"], "main"), names)
    assert error.reason in (Reason.URL_INVALID, Reason.ADDRESS_REFUSED)
    assert "pass" not in error.message.replace("password", "")


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize("case", of_kind("ref"))
async def test_hostile_refs(case: dict[str, Any]) -> None:
    error = await refused(CheckoutOrder("x", "https://example.com/r.git", case["value"]))
    assert error.reason is Reason.BRANCH_INVALID


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in load("ssrf.json") if case["expect"] == "refuse"]
)
async def test_hosts_that_no_request_may_reach(case: dict[str, Any]) -> None:
    if "redirect_to" in case:
        return  # git follows none: test_clone.py
    names = Names()
    scheme, _, rest = case["url"].partition("://")
    host = rest.partition("/")[0].partition(":")[0]
    if "dns" in case:
        names.set(host, case["dns"])
    url = f"https://{rest}" if scheme.lower() == "http" else case["url"]
    error = await refused(CheckoutOrder("x", url if url.count("/") > 3 else f"{url}/r.git"), names)
    assert error.reason in (Reason.URL_INVALID, Reason.ADDRESS_REFUSED, Reason.UNREACHABLE)


async def test_the_machine_itself_is_reachable_in_the_embedded_mode_only() -> None:
    order = CheckoutOrder("x", "https://localhost/r.git")

    async def loopback(_: str) -> Sequence[str]:
        return ["127.0.0.1"]

    with pytest.raises(GitError) as caught:
        await head_of(order, OutgoingPolicy(allow_private=False), resolver=loopback)
    assert caught.value.reason is Reason.ADDRESS_REFUSED


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("https://github.com/ada/shop.git", "https://github.com:443/ada/shop.git"),
        ("HTTPS://GitHub.com./ada/shop", "https://github.com:443/ada/shop"),
        ("https://git.corp.example:8443/a/b%20c/_git/d~1/", "https://git.corp.example:8443/a/b%20c/_git/d~1/"),
        ("https://[2001:db8::1]/r.git", "https://[2001:db8::1]:443/r.git"),
    ],
)
def test_urls_name_the_host_as_it_is_resolved(url: str, named: str) -> None:
    assert repository_url(url)[1] == named


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/",
        "https://example.com/a//b",
        "https://example.com/a/../b",
        "https://example.com/a/%2e%2e/b",
        "https://example.com/a%0ab",
        "https://example.com/a?b=c",
        "https://example.com/a b",
        f"https://example.com/{'a' * 1000}",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(GitError) as caught:
        repository_url(url)
    assert caught.value.reason is Reason.URL_INVALID


@pytest.mark.parametrize("url", ["git@github.com:ada/shop.git", "ssh://git@github.com/ada/shop.git"])
def test_ssh_is_refused_with_a_way_out(url: str) -> None:
    with pytest.raises(GitError, match=r"not cloned over ssh: give the https:// URL and an access token"):
        repository_url(url)


@pytest.mark.parametrize("name", ["main", "release/1.x", "fix-#12", "größe", "a@b", "v1.0"])
def test_branches(name: str) -> None:
    require_branch(name)


@given(st.text(max_size=20))
def test_a_branch_is_no_option_and_no_expression(name: str) -> None:
    try:
        require_branch(name)
    except GitError:
        return
    assert not name.startswith("-")
    assert not set(name) & set(" ~^:?*[\\\n\0")
    assert ".." not in name


@pytest.mark.parametrize("path", ["", "src", "services/shop api", "größe"])
def test_subfolders(path: str) -> None:
    require_subfolder(path)


@pytest.mark.parametrize(
    "path", ["/", "/src", "src/", "a//b", "..", "a/../b", ".git/x", "a\\b", "a\nb", "b/.GIT", "x" * 501]
)
def test_other_subfolders_are_refused(path: str) -> None:
    with pytest.raises(GitError) as caught:
        require_subfolder(path)
    assert caught.value.reason is Reason.SUBFOLDER_INVALID
