"""What providers deliver: every given case, and each provider's own form."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend.app.core.ids import new_ulid
from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from backend.app.modules.projects.git.errors import DeliveryInvalid
from backend.app.modules.projects.git.providers import PROVIDERS, provider_of
from backend.app.modules.projects.git.providers.base import Delivery
from backend.app.modules.projects.git.schemas import Provider
from backend.app.modules.projects.models import GitDeliveryRecord
from tests.modules.projects.git.test_service import add
from tests.support.accounts import SetClock, client_of, sign_up
from tests.support.fake_git_hosts import sign
from tests.support.payloads import load, load_document

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def push(ref: str = "refs/heads/main", **more: Any) -> bytes:
    return json.dumps({"ref": ref, "after": COMMIT, **more}).encode()


def github(secret: str, body: bytes, event: str = "push", delivery: str = "d-1") -> dict[str, str]:
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": sign(secret, body),
        "Content-Type": "application/json",
    }


def standard(secret: str, body: bytes, moment: float, delivery: str = "d-1") -> dict[str, str]:
    """Standard Webhooks."""
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{delivery}.{int(moment)}.".encode() + body
    signature = "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "X-Gitlab-Event": "Push Hook",
        "webhook-id": delivery,
        "webhook-timestamp": str(int(moment)),
        "webhook-signature": signature,
    }


class Source:
    """A source, and what became of deliveries to it."""

    def __init__(self, app: FastAPI, database: Database, made: dict[str, Any]) -> None:
        self.id, self.secret = made["id"], made["webhook_secret"]
        self._app = app
        self._database = database

    async def deliver(self, body: bytes, headers: dict[str, str], source_id: str | None = None) -> int:
        async with client_of(self._app) as provider:
            path = f"/git/webhooks/{source_id or self.id}"
            answer = await provider.post(path, content=body, headers=headers)
        assert self.secret not in answer.text
        return answer.status_code

    async def pushes(self) -> list[dict[str, Any]]:
        async with self._database.transaction(write=False) as session:
            mine = EventRecord.name == "git.pushed"
            rows = await session.scalars(select(EventRecord.payload).where(mine).order_by(EventRecord.position))
            return [json.loads(row) if isinstance(row, str) else row for row in rows]

    async def known(self) -> int:
        async with self._database.transaction(write=False) as session:
            return len((await session.execute(select(GitDeliveryRecord.delivery_id))).all())


@pytest.fixture
async def source(ada: httpx2.AsyncClient, app: FastAPI, project: str, database: Database) -> Source:
    return Source(app, database, await add(ada, project))


Case: TypeAlias = Callable[[Source], Awaitable[list[int]]]


async def test_given_cases(
    source: Source, ada: httpx2.AsyncClient, app: FastAPI, project: str, clock: SetClock, database: Database
) -> None:
    secret, body = source.secret, push()
    signed = github(secret, body)

    def without(name: str, **changed: str) -> dict[str, str]:
        return {**{key: value for key, value in signed.items() if key != name}, **changed}

    found: dict[str, Any] = {}

    async def case(number: int, content: bytes, headers: dict[str, str], source_id: str | None = None) -> None:
        found.setdefault(f"webhooks-{number:03}", []).append(await source.deliver(content, headers, source_id))

    await case(2, body, without("X-Hub-Signature-256"))
    await case(3, body, without("", **{"X-Hub-Signature-256": ""}))
    await case(6, body, without("", **{"X-Hub-Signature-256": signed["X-Hub-Signature-256"].upper()}))
    sha1 = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    await case(9, body, without("X-Hub-Signature-256", **{"X-Hub-Signature": sha1}))
    await case(12, json.dumps(json.loads(body), separators=(",", ":")).encode(), signed)
    await case(15, b" " * (26 * 1024 * 1024), signed)
    await case(18, body, without("X-GitHub-Delivery"))
    gitlab = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "d-gitlab"}
    for token in ({"X-Gitlab-Token": secret}, {"X-Gitlab-Token": f"{secret}x"}, {}):
        await case(20, body, {**gitlab, **token})
    async with await sign_up(app) as bob:
        answer = await bob.post("/projects", json={"name": "Shop", "base_url": "http://shop.example"})
        theirs = await add(bob, f"/projects/{answer.json()['data']['id']}")
    await case(22, body, signed, theirs["id"])
    await case(22, body, signed, new_ulid())
    before = await source.known()
    await case(23, body, github(secret, body, "issues"))
    await case(24, body, github(secret, body, "ping"))
    hostile = push("refs/heads/--upload-pack=x")
    await case(26, hostile, github(secret, hostile))
    other = push("refs/heads/next")
    await case(26, other, github(secret, other))
    assert await source.known() == before

    await case(16, body, signed)
    await case(16, body, signed)
    many = push(commits=[{"id": COMMIT, "message": "x" * 35}] * 100_000)
    assert len(many) > 10_000_000
    await case(25, many, github(secret, many, delivery="d-many"))
    elsewhere = push(repository={"clone_url": "https://evil.example/x.git"})
    await case(27, elsewhere, github(secret, elsewhere, delivery="d-elsewhere"))
    rotated = await ada.post(f"{project}/git-sources/{source.id}/webhook-secret")
    fresh = rotated.json()["data"]["webhook_secret"]
    await case(29, body, github(secret, body, delivery="d-old"))
    await case(29, body, github(fresh, body, delivery="d-new"))
    clock.move(hours=24)
    await case(29, body, github(secret, body, delivery="d-late"))

    assert found == {
        "webhooks-002": [401],
        "webhooks-003": [401],
        "webhooks-006": [401],
        "webhooks-009": [401],
        "webhooks-012": [401],
        "webhooks-015": [413],
        "webhooks-016": [202, 200],
        "webhooks-018": [400],
        "webhooks-020": [202, 401, 401],
        "webhooks-022": [401, 401],
        "webhooks-023": [204],
        "webhooks-024": [200],
        "webhooks-025": [202],
        "webhooks-026": [422, 204],
        "webhooks-027": [202],
        "webhooks-029": [202, 202, 401],
    }
    assert set(found) == {case["id"] for case in load("webhooks.json")}
    pushes = await source.pushes()
    assert [(each["delivery_id"], each["key"]) for each in pushes] == [
        ("d-gitlab", "current"),
        ("d-1", "current"),
        ("d-many", "current"),
        ("d-elsewhere", "current"),
        ("d-old", "previous"),
        ("d-new", "current"),
    ]
    first = pushes[1]
    assert (first["git_source_id"], first["branch"], first["commit"]) == (source.id, "main", COMMIT)
    assert (first["provider"], first["project_id"]) == ("github", project.rpartition("/")[2])
    assert "evil" not in json.dumps(pushes)


async def test_deliveries_at_once_and_after_their_time(source: Source, clock: SetClock) -> None:
    body = push()
    headers = github(source.secret, body)
    answers = await asyncio.gather(*(source.deliver(body, headers) for _ in range(5)))
    assert sorted(answers) == [200, 200, 200, 200, 202]
    assert len(await source.pushes()) == 1
    clock.move(days=8)
    later = github(source.secret, body, delivery="d-2")
    assert await source.deliver(body, later) == 202
    assert await source.known() == 1  # the expired one is gone


async def test_what_cannot_be_read(source: Source) -> None:
    secret = source.secret
    for status, body in (
        (400, b"payload=%7B%7D"),
        (400, b"\xff"),
        (400, b"[" * 5000),
        (422, b"[]"),
        (422, b'{"ref": 1, "after": 2}'),
        (422, push(after="HEAD")),
        (204, push("refs/tags/v1")),
        (204, push(after="0" * 40)),
    ):
        assert await source.deliver(body, github(secret, body)) == status, body[:50]
    assert await source.deliver(push(), {**github(secret, push()), "X-GitHub-Delivery": "x" * 201}) == 400
    assert await source.pushes() == []


async def test_an_archived_project_passes_over_pushes(source: Source, ada: httpx2.AsyncClient, project: str) -> None:
    await ada.patch(project, json={"status": "archived"})
    body = push()
    assert await source.deliver(body, github(source.secret, body)) == 204


async def test_signing_tokens_of_gitlab(source: Source, clock: SetClock) -> None:
    body, now = push(), clock().timestamp()
    right = standard(source.secret, body, now)
    assert await source.deliver(body, right) == 202
    assert await source.deliver(body, right) == 200
    for wrong in (
        standard(source.secret, body, now - 301, "d-2"),
        standard(source.secret, body, now + 301, "d-2"),
        {**right, "webhook-id": "d-2"},
        {**right, "webhook-timestamp": "soon"},
        {**right, "webhook-signature": "v1,", "X-Gitlab-Token": source.secret},
    ):
        assert await source.deliver(body, wrong) == 401
    both = {**standard(source.secret, body, now, "d-3"), "X-Gitlab-Token": "another"}
    both["webhook-signature"] = f"v1,AAAA {both['webhook-signature']}"
    assert await source.deliver(body, both) == 202


async def test_both_kinds_of_bitbucket(source: Source) -> None:
    new = {"type": "branch", "name": "main", "target": {"hash": COMMIT}}
    cloud = json.dumps({"push": {"changes": [{"new": None}, {"new": {**new, "name": "next"}}, {"new": new}]}}).encode()
    headers = {"X-Event-Key": "repo:push", "X-Request-UUID": "d-1"}
    signature = {"X-Hub-Signature": sign(source.secret, cloud)}
    assert await source.deliver(cloud, {**headers, **signature}) == 202
    assert await source.deliver(cloud, headers) == 401

    change = {"refId": "refs/heads/main", "toHash": COMMIT, "type": "UPDATE"}
    server = json.dumps({"changes": [change]}).encode()
    headers = {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "d-2"}
    signature = {"X-Hub-Signature": sign(source.secret, server)}
    assert await source.deliver(server, {**headers, **signature}) == 202
    ping = {"X-Event-Key": "diagnostics:ping", "X-Request-Id": "d-3", "X-Hub-Signature": signature["X-Hub-Signature"]}
    assert await source.deliver(server, ping) == 200
    assert [each["provider"] for each in await source.pushes()] == ["bitbucket", "bitbucket_server"]


def test_the_vector_of_github() -> None:
    vector = load_document("webhooks.json")["vector"]
    signed = {"x-hub-signature-256": vector["X-Hub-Signature-256"]}
    host = PROVIDERS[Provider.GITHUB]
    assert host.is_signed(Delivery(signed, vector["body"].encode()), vector["secret"], NOW)
    assert not host.is_signed(Delivery(signed, b"Hello, World?"), vector["secret"], NOW)


@given(
    st.sampled_from(list(PROVIDERS)),
    st.dictionaries(
        st.sampled_from(
            [
                *("x-hub-signature-256", "x-hub-signature", "x-gitlab-token", "webhook-signature", "webhook-id"),
                *("webhook-timestamp", "x-event-key", "x-github-event", "x-gitlab-event"),
            ]
        ),
        st.text(max_size=30),
    ),
    st.binary(max_size=50),
)
def test_nobody_without_the_secret_signs(provider: Provider, headers: dict[str, str], body: bytes) -> None:
    assert not PROVIDERS[provider].is_signed(Delivery(headers, body), "whsec_c2VjcmV0IG9mIG5vYm9keQ==", NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["refs/heads/main", COMMIT]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["ref", "after", "push", "changes", "new", "type", "name", "target", "hash", "refId", "toHash"]
            ),
            inner,
        )
    ),
)


@settings(max_examples=50)
@given(st.sampled_from(list(PROVIDERS)), _JSON)
def test_any_document_is_a_list_of_pushes_or_invalid(provider: Provider, document: Any) -> None:
    try:
        pushes = PROVIDERS[provider].pushes(document)
    except DeliveryInvalid:
        return
    assert all(each.branch and len(each.commit) in (40, 64) for each in pushes)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("github.com", Provider.GITHUB),
        ("github.corp.example", Provider.GITHUB),
        ("gitlab.com", Provider.GITLAB),
        ("bitbucket.org", Provider.BITBUCKET),
        ("bitbucket.corp.example", Provider.BITBUCKET_SERVER),
        ("git.corp.example", None),
        ("notgithub.com", None),
    ],
)
def test_providers_are_told_by_their_hosts(host: str, provider: Provider | None) -> None:
    assert provider_of(host) is provider
