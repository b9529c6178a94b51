"""The whole application refuses to start, or lets people in, as its settings say."""

import pytest
from fastapi import FastAPI

from backend.app.core.settings import AuthSettings, Settings, SettingsError
from backend.app.main import create_app
from tests.support.accounts import client_of, sign_up


async def test_production_does_not_start_without_a_key(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"mode": "production", "auth": AuthSettings()}))
    with pytest.raises(SettingsError, match=r"^auth\.secret_key"):
        async with app.router.lifespan_context(app):
            pass


async def test_what_needs_no_credentials_is_the_way_in_and_nothing_else(settings: Settings) -> None:
    app: FastAPI = create_app(settings)
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/v1")
    }
    public = {name for name, operation in operations.items() if operation["x-permission"] == "public"}
    assert public == {
        "GET /api/v1/auth/sso/providers",
        "GET /api/v1/auth/sso/{provider}/callback",
        "GET /api/v1/auth/sso/{provider}/login",
        "POST /api/v1/auth/confirm-reset",
        "POST /api/v1/auth/login",
        "POST /api/v1/auth/refresh",
        "POST /api/v1/auth/register",
        "POST /api/v1/auth/reset-password",
        "POST /api/v1/auth/token",
        "POST /api/v1/auth/verify-email",
        "POST /api/v1/auth/verify-email/resend",
        "POST /api/v1/git/webhooks/{git_source_id}",
    }
    refused = {}
    async with app.router.lifespan_context(app), client_of(app) as nobody, await sign_up(app) as somebody:
        for name in sorted(set(operations) - public):
            method, path = name.split(" ")
            answer = await nobody.request(method, path.removeprefix("/api/v1"))
            refused[name] = answer.status_code
        assert (await somebody.get("/auth/me")).status_code == 200
    assert {name: status for name, status in refused.items() if status != 401} == {}
