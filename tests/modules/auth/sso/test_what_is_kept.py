"""What a provider gives us for a sign-in opens the provider: nothing of it outlives the sign-in (ASVS 5, 10.1.1)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI
from sqlalchemy import inspect, text

from backend.app.db.session import Database
from tests.modules.auth.sso.browsers import Browser
from tests.support.oidc_provider import CLIENT_SECRET, GitHubProvider, OidcProvider


async def test_no_code_and_no_token_of_a_provider_is_kept_or_handed_on(
    app: FastAPI, database: Database, corp: OidcProvider, github: GitHubProvider
) -> None:
    id_tokens: list[str] = []

    def note(claims: dict[str, Any]) -> str:
        id_tokens.append(corp.sign(claims))
        return id_tokens[-1]

    corp.encode = note
    said, codes = "", []
    for name in ("corp", "github"):
        browser = Browser(app)
        back = await browser.visit(await browser.start(name))
        codes += parse_qs(urlsplit(back).query)["code"]
        answer = await browser.come_back(back)
        assert answer.status_code == 200
        said += answer.text + repr(answer.headers)
    async with database.transaction(write=False) as session:
        tables = await (await session.connection()).run_sync(lambda sync: inspect(sync).get_table_names())
        rows = [row for table in tables for row in await session.execute(text(f'SELECT * FROM "{table}"'))]  # noqa: S608
    kept = "\n".join(map(repr, rows)) + said
    assert "user.signed_in" in kept
    foreign = [*codes, *id_tokens, *corp.tokens, *github.tokens, CLIENT_SECRET]
    assert len(foreign) == 6
    assert [secret for secret in foreign if secret in kept] == []
