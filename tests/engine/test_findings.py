import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.findings import Redactor, curl_line, excerpt, fingerprint
from backend.app.engine.http import Request

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
    redactor = Redactor(["api_key", "sid"], ["Bearer abc.def", "k e/y"])
    request = Request(
        "GET",
        "http://h/a?api_key=k%20e%2Fy&b=1",
        (("Authorization", "Bearer abc.def"), ("Cookie", "sid=abc.def"), ("X-Echo", "abc.def!")),
    )
    line = curl_line(request, redactor)
    assert "abc.def" not in line
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


def test_short_values_do_not_blot_out_the_text() -> None:
    assert Redactor([], ["a"]).text("banana") == "banana"
