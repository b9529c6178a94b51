"""No secret of a capture is in what comes out of it."""

import json
import string
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.codec import description_to_bytes
from backend.app.modules.endpoints.discovery.captures.model import CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import read_capture
from tests.modules.endpoints.discovery.captures.build import exchange, har, keys, read_har

SECRETS = st.text(string.ascii_letters + string.digits + "-_", min_size=16, max_size=50).filter(
    lambda text: any(map(str.isdigit, text)) and any(map(str.isalpha, text))
)


def everything(report: CaptureReport) -> str:
    return description_to_bytes(report.description()).decode() + repr(asdict(report))


@given(SECRETS)
def test_a_secret_under_a_secret_name_survives_nowhere(secret: str) -> None:
    plain = "/x"
    entries = [
        exchange(url=plain, headers={"Authorization": f"Bearer {secret}"}),
        exchange(url=plain, headers={"Cookie": f"theme=dark; session={secret}"}),
        exchange(url=plain, headers={"X-Api-Key": secret}),
        exchange(url=plain, answer_headers={"Set-Cookie": f"sid={secret}; Path=/"}),
        exchange(url=f"{plain}?access_token={secret}&page=1"),
        exchange("POST", plain, body={"user": {"password": secret}}),
        exchange("POST", "/login", answer={"refresh_token": secret, "n": 1}),
    ]
    # It stands elsewhere too, where no name gives it away.
    for entry in entries:
        elsewhere = [
            exchange(url=f"/reset/{secret}/confirm"),
            exchange(url=f"/y?next={secret}"),
            exchange(url=f"/y?{secret}=1"),
            *[exchange("POST", "/y", body={"kind": secret, secret: 1}, answer={"echo": secret})] * 25,
        ]
        report = read_har(*elsewhere, entry, name=f"{secret}.har")
        assert secret not in everything(report)
        assert "GET /reset/{reset_id}/confirm" in keys(report)


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-abcdefghijklmnopqrstuvwx",
        "ak_0123456789abcdefghijkl",
    ],
)
def test_a_secret_is_known_by_its_form_without_a_name(token: str) -> None:
    report = read_har(
        *[exchange("POST", f"/a/{token}?b={token}", body={"c": token}, answer={"d": [token], token: token})] * 25,
        exchange(url=f"/list/{token}.txt"),
    )
    assert token not in everything(report)


def test_passwords_of_basic_credentials_and_of_urls_are_masked_elsewhere() -> None:
    report = read_har(
        exchange(url="/x?who=hunter2hunter2", headers={"Authorization": "Basic YW5uOmh1bnRlcjJodW50ZXIy"}),
        exchange(url="http://ann:s3cret-of-ann@api.test/y?z=s3cret-of-ann"),
    )
    assert "hunter2" not in everything(report)
    assert "s3cret-of-ann" not in everything(report)
    assert {each.server for each in report.captured} == {"http://api.test"}


def test_secret_variables_of_a_client_are_masked_where_they_were_filled_in() -> None:
    collection = {
        "info": {"_postman_id": "1"},
        "variable": [{"key": "apiToken", "value": "plain-words-as-token"}],
        "item": [{"name": "x", "request": "http://api.test/t/{{apiToken}}?q={{apiToken}}"}],
    }
    report = read_capture(json.dumps(collection).encode())
    assert "plain-words-as-token" not in everything(report)


def test_names_of_secret_members_are_kept_without_their_values() -> None:
    report = read_capture(har([exchange("POST", "/login", body={"password": "aaaaaaa", "name": "ann"})] * 30))
    body = report.captured[0].operation.body
    assert body is not None
    assert body.content[0].schema == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "password": {"type": "string"}},
        "required": ["name", "password"],
    }
