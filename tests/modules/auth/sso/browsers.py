"""What a person's browser does in a sign-in: to us, to the provider, and back."""

import ssl
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx2
from fastapi import FastAPI
from sqlalchemy import select

from backend.app.db.outbox import EventRecord
from backend.app.db.session import Database
from tests.support.accounts import client_of

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The providers speak plain HTTP, and reading the certificates of the world takes longer than a sign-in."""


class Browser:
    """Keeps its cookies."""

    def __init__(self, app: FastAPI) -> None:
        self.app = client_of(app)

    async def start(self, provider: str = "corp") -> str:
        """Where we send it."""
        answer = await self.app.get(f"/auth/sso/{provider}/login")
        assert answer.status_code == 302, answer.text
        location: str = answer.headers["location"]
        return location

    async def visit(self, url: str) -> str:
        """Where the provider sends it back to."""
        async with httpx2.AsyncClient(verify=_NO_TLS) as outside:
            answer = await outside.get(url)
        assert answer.status_code == 302, answer.text
        location: str = answer.headers["location"]
        return location

    async def come_back(self, url: str, **changes: str | None) -> httpx2.Response:
        """`changes` go over the query of the URL; None takes a parameter out."""
        parts = urlsplit(url)
        query: dict[str, Any] = {**{k: v[0] for k, v in parse_qs(parts.query).items()}, **changes}
        query = {name: value for name, value in query.items() if value is not None}
        return await self.app.get(urlunsplit(parts._replace(query=urlencode(query))))

    async def sign_in(self, provider: str = "corp") -> httpx2.Response:
        return await self.come_back(await self.visit(await self.start(provider)))


async def me(app: FastAPI, answer: httpx2.Response) -> dict[str, Any]:
    """Whom the tokens of a sign-in belong to."""
    assert answer.status_code == 200, answer.text
    async with client_of(app, {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}) as client:
        user: dict[str, Any] = (await client.get("/auth/me")).json()["data"]
    return user


def refused(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def events(database: Database) -> list[tuple[str, dict[str, Any]]]:
    """Names and payloads of all events, in order."""
    async with database.transaction(write=False) as session:
        query = select(EventRecord.name, EventRecord.payload).order_by(EventRecord.position)
        return [(name, payload) for name, payload in await session.execute(query)]
