import json
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.redaction import remember
from backend.app.engine.checks import Failure, Severity
from backend.app.engine.findings import Redactor, curl_line, excerpt, finding_of, fingerprint
from backend.app.engine.http import Answer, Exchange, Outcome, Request, Timing

NOTHING = Redactor()


def test_a_fingerprint_knows_its_fault_and_not_the_names_in_the_path() -> None:
    mark = fingerprint("server_error", "GET", "/pets/{id}", "status 500")
    assert mark == fingerprint("server_error", "GET", "/pets/{petId}", "status 500")
    others = {
        fingerprint("server_error", "PUT", "/pets/{id}", "status 500"),
        fingerprint("server_error", "GET", "/pets", "status 500"),
        fingerprint("server_error", "GET", "/pets/{id}", "status 503"),
        fingerprint("transport", "GET", "/pets/{id}", "status 500"),
    }
    assert len(others | {mark}) == 5
    assert len(mark) == 16


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


@given(TEXT, TEXT, TEXT)
def test_a_shell_reads_back_what_was_sent(value: str, body: str, query: str) -> None:
    request = Request("POST", f"http://h/?q={query}", (("X-Own", value),), body.encode())
    words = shlex.split(curl_line(request, NOTHING))
    assert words[0] == "curl"
    assert words[words.index("-X") + 1] == "POST"
    assert words[words.index("-H") + 1] == (f"X-Own: {value}" if value else "X-Own;")
    assert words[words.index("--data-raw") + 1] == body
    assert words[-1] == request.url


def test_secrets_become_a_variable_of_the_shell() -> None:
    redactor = Redactor(["api_key", "sid"], ["Bearer abc.d3f", "k e/y"])
    request = Request(
        "GET",
        "http://h/a?api_key=k%20e%2Fy&b=1",
        (("Authorization", "Bearer abc.d3f"), ("Cookie", "sid=abc.d3f"), ("X-Echo", "abc.d3f!")),
    )
    line = curl_line(request, redactor)
    assert "abc.d3f" not in line
    assert "k%20e" not in line
    done = subprocess.run(
        ["sh", "-c", line.replace("curl", "printf '%s\\n'", 1)],
        env={"TOKEN": "T0K"},
        capture_output=True,
        text=True,
        check=True,
    )
    printed = done.stdout.splitlines()
    assert "Authorization: Bearer T0K" in printed
    assert "Cookie: T0K" in printed
    assert "X-Echo: T0K!" in printed
    assert "http://h/a?api_key=T0K&b=1" in printed


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\0b", b"x" * 10_000])
def test_bodies_that_do_not_fit_a_line_are_named(body: bytes) -> None:
    line = curl_line(Request("PUT", "http://h/", (), body), NOTHING)
    assert "--data-binary @body.bin" in line
    assert f"{len(body)} bytes" in line
    assert shlex.split(line, comments=True)[-1] == "@body.bin"


def test_no_part_of_a_secret_is_left_at_the_cut() -> None:
    text = b"x" * 995 + b"topsecretvalue" + b"y" * 100
    shown = excerpt(text, Redactor([], ["topsecretvalue"]))
    assert "tops" not in shown
    assert len(shown) <= 1_010


def test_binary_is_only_counted() -> None:
    assert excerpt(bytes(range(256)), NOTHING) == "(256 bytes of binary data)"
    assert excerpt(b"", NOTHING) == ""


@pytest.mark.parametrize("secret", ["a", "orders", "Bearer orders"])
def test_a_secret_that_is_a_word_is_masked_by_the_name_of_what_carries_it_alone(secret: str) -> None:
    redactor = Redactor(["x-shop", "shop"], [secret])
    request = Request("GET", f"http://h/orders?shop={secret}&q=orders", (("X-Shop", secret),))
    line = curl_line(request, redactor)
    assert line.count("orders") == 2
    assert "http://h/orders?" in line
    assert redactor.said("GET /orders: banana") == "GET /orders: banana"


def test_what_the_target_says_is_masked_and_what_was_made_up_can_be_sent_again() -> None:
    remember("open-sesame-7")
    body = b'{"password": "made-up-1", "token": "t", "note": "open-sesame-7"}'
    request = Request("POST", "http://h/login?code=made-up-2", (), body)
    said = b'{"access_token": "given-by-the-target", "trace": "postgres://shop:pw@db/ failed", "note": "open-sesame-7"}'
    exchange = Exchange(request, Outcome.ANSWERED, Timing(1.0), Answer(500, (), said))
    failure = Failure("c", Severity.HIGH, "A title", "token: expected an integer, got open-sesame-7", "s", {"got": 1})
    found = finding_of(failure, exchange, "POST", "/login", "valid", NOTHING, [request])
    assert found.curl.count("made-up") == 2
    assert '"token": "t"' in found.curl
    assert found.detail == "token: expected an integer, got ***"
    assert found.evidence["got"] == 1
    assert json.loads(str(found.evidence["body"])) == {
        "access_token": "***",
        "trace": "postgres://***@db/ failed",
        "note": "***",
    }
    assert "open-sesame-7" not in repr(found)
