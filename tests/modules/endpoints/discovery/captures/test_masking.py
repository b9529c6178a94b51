"""No secret of a capture is in what comes out of it."""

import json
import string
import time
from dataclasses import asdict
from typing import Any

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
        "s.iyNUhq8Ov4hIAx6snw5mB2nL",
        "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
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


WORDS = "plain-words-as-secret"
"""Nothing of its form gives it away."""
MULTIPART = f'--x\r\nContent-Disposition: form-data; name="password"\r\nX-Y: 1\r\n\r\n{WORDS}\r\n--x--'


def sent(kind: str, text: str) -> dict[str, Any]:
    entry = exchange("POST", "/login")
    entry["request"]["postData"] = {"mimeType": kind, "text": text}
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        exchange("POST", "/graphql", body={"query": f'mutation {{ login(password: "{WORDS}") {{ id }} }}'}),
        exchange("POST", "/graphql", body={"query": "...", "variables": {"input": {"password": WORDS}}}),
        exchange("POST", "/x", body={"api_keys": [{"value": WORDS}], "tokens": ["a", WORDS]}),
        exchange("POST", "/x", body={"payload": json.dumps({"password": WORDS})}),
        exchange(url="/login", status=302, answer_headers={"Location": f"http://a.test/cb?x=1&code={WORDS}"}),
        exchange(url=f"/callback#x=1&access_token={WORDS}"),
        exchange(url=f"/pages;jsessionid={WORDS}/7"),
        exchange(url=f"http://{WORDS}@api.test/x"),
        sent("application/x-www-form-urlencoded", f"grant_type=x&client_secret={WORDS}"),
        sent("multipart/form-data; boundary=x", MULTIPART),
        sent("text/xml", f"<login><password>{WORDS}</password></login>"),
    ],
)
def test_a_secret_that_reads_like_words_is_learnt_wherever_a_name_gives_it_away(entry: dict[str, Any]) -> None:
    report = read_har(exchange(url=f"/echo/{WORDS}?q={WORDS}"), entry)
    assert WORDS not in everything(report)


@pytest.mark.parametrize("secret", ["s3cr", "12345678901", "4711"])
def test_short_secrets_are_no_examples(secret: str) -> None:
    report = read_har(exchange("POST", "/login", body={"pin": int(secret) if secret.isdigit() else secret}),
                      exchange(url=f"/echo?q={secret}"))  # fmt: skip
    assert f'"{secret}"' not in everything(report)
    assert f"[{secret}]" not in everything(report)


@pytest.mark.parametrize(
    "text", ["ann.smith@example.com", "+4915112345678", "DE89370400440532013000", "4111111111111111"]
)
def test_what_belongs_to_a_person_is_no_example(text: str) -> None:
    entries = [exchange("POST", f"/users/{text}?q={text}", body={"who": text}, answer={"who": text})] * 30
    assert text not in everything(read_har(*entries))


@pytest.mark.parametrize(
    "entry",
    [
        exchange(url="/plugins", answer={"plugins": [{"key": "softwareupdate", "state": "softwareupdate"}]}),
        exchange(url="/plugins", headers={"Cookie": "last=/softwareupdate; tab=softwareupdate"}),
    ],
    ids=["member", "cookie"],
)
def test_a_word_under_a_name_that_is_no_secrets_alone_is_a_name_elsewhere(entry: dict[str, Any]) -> None:
    report = read_har(exchange(url="/plugin/softwareupdate/check"), entry)
    assert "GET /plugin/softwareupdate/check" in keys(report)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500_000,
        "token" * 100_000,
        'content-disposition: x; name="a"\r\n' * 20_000,
        'content-disposition: x; name="a" ' * 20_000,
        "content-disposition:" * 40_000,
    ],
    ids=["plain", "names", "parts", "parts-in-a-line", "headers-in-a-line"],
)
def test_long_texts_are_searched_in_a_time_linear_in_them(text: str) -> None:
    started = time.process_time()
    read_har(sent("text/plain", text), sent("multipart/form-data; boundary=x", text))
    assert time.process_time() - started < 5
