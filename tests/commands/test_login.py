"""`touchstone login`, `logout`, `whoami` and `keys`, at a real server."""

import asyncio
import dataclasses
import json
import os
import pty
import stat
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from backend.app.commands import client
from backend.app.commands.client import Client, Nothing, Server, sends_in_the_clear, server_url, with_http
from backend.app.commands.keys import expiry
from backend.app.commands.sign_in_file import SignIn, SignInFile, Tokens
from backend.app.core.settings import (
    AuthSettings,
    DatabaseSettings,
    LoggingSettings,
    RateSettings,
    Settings,
    StorageSettings,
)
from backend.app.extensions.http_client import HttpClient
from backend.app.extensions.server import background_server
from backend.app.main import create_app
from backend.app.modules.auth.credentials.proven import proven
from tests.conftest import ENGINES
from tests.support import databases
from tests.support.accounts import PASSWORD, SetClock, person
from tests.support.commands import SECRET, clean_environment, command, touchstone
from tests.support.network import unused_port


@dataclass
class Installation:
    url: str
    clock: SetClock
    asked: list[str]
    """Paths of requests."""

    def sign_up(self, **fields: Any) -> str:
        """The address of somebody with an account."""
        body = person(**fields)
        answer = httpx2.post(f"{self.url}/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return str(body["email"])

    def later(self, **step: float) -> None:
        self.clock.move(**step)
        proven.forget()

    def get(self, path: str, token: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}/api/v1{path}", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for the module, because it takes a second to start: each test has people of its own."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        database_url = databases.sqlite_database(folder)
    else:
        database_url = databases.postgres_database()
        databases.postgres().empty(database_url)
    app = create_app(
        Settings(
            database=DatabaseSettings(url=database_url),
            storage=StorageSettings(data_dir=folder),
            auth=AuthSettings(secret_key=SecretStr(SECRET)),
            rates=RateSettings(enabled=False),
            logging=LoggingSettings(level="error"),
        )
    )
    clock = SetClock()
    asked: list[str] = []

    async def watched(scope: dict[str, Any], receive: Any, send: Any) -> None:
        asked.append(scope.get("path", ""))
        await app(scope, receive, send)

    with background_server(watched) as url:
        app.state.runtime = dataclasses.replace(app.state.runtime, clock=clock)
        installation = Installation(url, clock, asked)
        installation.sign_up()  # the first account administers the installation
        yield installation
    proven.forget()


@dataclass
class Person:
    """A shell of somebody's, with a home of its own."""

    home: Path
    email: str = ""

    def run(self, *words: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        return touchstone(*words, stdin=stdin, environment={"XDG_CONFIG_HOME": str(self.home), **environment})

    def good(self, *words: str, stdin: str = "", **environment: str) -> str:
        done = self.run(*words, stdin=stdin, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, code: int, *words: str, stdin: str = "", **environment: str) -> str:
        """The one line that says why."""
        done = self.run(*words, stdin=stdin, **environment)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (code, "", 1), done
        return done.stderr

    def login(self, server: Installation, password: str = PASSWORD) -> str:
        words = ("login", server.url, "--email", self.email, "--password-stdin")
        return self.good(*words, stdin=f"{password}\n")

    @property
    def file(self) -> Path:
        return self.home / "touchstone" / "login.json"

    def tokens(self) -> dict[str, str]:
        credential: dict[str, str] = json.loads(self.file.read_text())["credential"]
        return credential

    def listed(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.good("keys", "list", "-o", "json", *words))
        return found


@pytest.fixture
def stranger(tmp_path: Path) -> Person:
    return Person(tmp_path / "stranger")


@pytest.fixture
def ada(server: Installation, tmp_path: Path) -> Person:
    """Signed in."""
    ada = Person(tmp_path / "ada", server.sign_up(first_name="Ada"))
    ada.login(server)
    return ada


def test_tokens_are_kept_where_only_their_owner_reads_them(server: Installation, ada: Person) -> None:
    assert stat.S_IMODE(ada.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ada.file.parent.stat().st_mode) == 0o700
    assert {path.name for path in ada.file.parent.iterdir()} == {"login.json", "login.lock"}
    assert ada.good("whoami").startswith(f"{ada.email} at {server.url}, by a session\n")
    before = ada.tokens()
    said = ada.login(server)
    assert str(ada.file) in said
    assert not any(token in said for token in (PASSWORD, *ada.tokens().values()))
    assert server.get("/auth/me", before["access_token"]).status_code == 401, "the session that it replaces is over"


def test_a_file_that_others_may_read_is_refused_until_it_is_put_right(server: Installation, ada: Person) -> None:
    ada.file.chmod(0o640)
    assert f"chmod 600 {ada.file}" in ada.refused(2, "whoami")
    ada.login(server)
    ada.good("whoami")
    ada.file.parent.chmod(0o770)
    assert f"chmod 700 {ada.file.parent}" in ada.refused(2, "whoami")
    ada.login(server)
    ada.good("whoami")
    ada.file.write_text('{"server": 7}')
    assert "touchstone login" in ada.refused(2, "keys", "list")


def test_the_password_is_asked_for_and_not_shown(server: Installation, tmp_path: Path) -> None:
    email = server.sign_up()
    environment = clean_environment() | {"XDG_CONFIG_HOME": str(tmp_path)}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("login", server.url),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    ) as running:
        os.close(theirs)
        shown = b""
        for prompt, answer in ((b"E-mail address: ", email), (b"Password: ", PASSWORD)):
            while not shown.endswith(prompt):
                shown += os.read(ours, 1000)
            os.write(ours, f"{answer}\n".encode())
        while b"Signed in" not in shown:
            shown += os.read(ours, 1000)
    os.close(ours)
    assert running.returncode == 0
    assert email.encode() in shown
    assert PASSWORD.encode() not in shown


def test_what_is_wrong_with_a_sign_in_is_said_in_one_line(server: Installation, stranger: Person) -> None:
    email = server.sign_up()
    login = ("login", server.url, "--email", email, "--password-stdin")
    assert "password is wrong" in stranger.refused(4, *login, stdin="not the password\n")
    assert "nothing on stdin" in stranger.refused(2, *login)
    assert "--email" in stranger.refused(2, "login", server.url, "--password-stdin", stdin=PASSWORD)
    assert "--password-stdin" in stranger.refused(2, "login", server.url, "--email", email)
    assert "the key says" in stranger.refused(2, *login, "--api-key-stdin")
    key = ("login", server.url, "--api-key-stdin")
    assert "not valid" in stranger.refused(4, *key, stdin="ak_nonsense\n")
    assert "line break" not in stranger.refused(4, *key, stdin="  ak_nonsense \r\n")
    for _ in range(20):
        done = stranger.run(*login, stdin="not the password\n")
        if done.returncode != 4:
            break
    assert done.returncode == 3
    assert "try again in" in done.stderr
    assert not stranger.file.exists()


def test_who_is_not_signed_in_is_told_how(server: Installation, stranger: Person) -> None:
    for words in (["whoami"], ["keys", "list"], ["keys", "create", "x"], ["keys", "revoke", "x"]):
        assert "`touchstone login`" in stranger.refused(4, *words)
    assert stranger.run("logout").returncode == 0
    assert "TOUCHSTONE_SERVER" in stranger.refused(2, "whoami", TOUCHSTONE_API_KEY="ak_x")


def test_an_expired_access_token_is_exchanged_and_the_new_ones_are_kept(server: Installation, ada: Person) -> None:
    before = ada.tokens()
    server.later(hours=25)
    assert server.get("/auth/me", before["access_token"]).status_code == 401
    ada.good("keys", "create", "ci")
    after = ada.tokens()
    assert set(before.values()).isdisjoint(after.values())
    assert stat.S_IMODE(ada.file.stat().st_mode) == 0o600
    server.later(hours=1)
    ada.good("whoami")
    assert ada.tokens() == after, "a valid access token is not exchanged"
    assert len(ada.listed()) == 1, "the request that met the expired token was performed once"


def test_commands_at_the_same_time_exchange_the_refresh_token_once(server: Installation, ada: Person) -> None:
    """Its use a second time, beyond the grace of the server, would end the session."""
    file = SignInFile(ada.file.parent)
    expired = file.read()
    assert expired is not None
    server.later(hours=25)
    server.asked.clear()
    together = threading.Barrier(3)

    def perform(_: int) -> int:
        async def work(http: HttpClient) -> int:
            signed_in = Client(Server(http, server.url), expired, file)
            together.wait()
            await asyncio.gather(*(signed_in.ask(Nothing, "GET", "/auth/me") for _ in range(2)))
            return 0

        return with_http(work)

    with ThreadPoolExecutor(together.parties) as pool:
        assert list(pool.map(perform, range(together.parties))) == [0, 0, 0]
    server.later(seconds=60)
    together = threading.Barrier(1)
    assert perform(0) == 0
    assert server.asked.count("/api/v1/auth/refresh") == 1
    ada.good("whoami")


def test_a_session_that_is_over_asks_for_a_new_sign_in(server: Installation, ada: Person) -> None:
    headers = {"Authorization": f"Bearer {ada.tokens()['access_token']}"}
    assert httpx2.post(f"{server.url}/api/v1/auth/logout", headers=headers).status_code == 200
    assert f"`touchstone login {server.url}`" in ada.refused(4, "whoami")
    ada.good("logout")
    assert not ada.file.exists()


def test_signing_out_ends_the_session_and_removes_the_tokens(server: Installation, ada: Person) -> None:
    access_token, refresh_token = ada.tokens().values()
    assert "removed" in ada.good("logout")
    assert not ada.file.exists()
    assert server.get("/auth/me", access_token).status_code == 401
    again = httpx2.post(f"{server.url}/api/v1/auth/refresh", json={"refresh_token": refresh_token})
    assert again.status_code == 401


def test_signing_out_without_a_server_warns_and_removes_the_tokens(stranger: Person) -> None:
    file = SignInFile(stranger.file.parent)
    gone = f"http://127.0.0.1:{unused_port()}"
    with file.locked():
        file.write(SignIn(server=gone, email=None, credential=Tokens(access_token="a", refresh_token="r")))
    done = stranger.run("logout")
    assert (done.returncode, "cannot be reached" in done.stderr) == (0, True)
    assert not stranger.file.exists()
    stranger.file.touch(0o600)
    done = stranger.run("logout")
    assert (done.returncode, "damaged" in done.stderr) == (0, True)
    assert not stranger.file.exists()


def test_an_api_key_takes_the_place_of_a_session(server: Installation, ada: Person, stranger: Person) -> None:
    key = ada.good("keys", "create", "wide").strip()
    narrow = ada.good("keys", "create", "narrow", "--scope", "projects.read").strip()
    ci = {"TOUCHSTONE_SERVER": server.url, "TOUCHSTONE_API_KEY": f"{key}\n"}
    assert stranger.good("whoami", **ci).startswith(f"{ada.email} at {server.url}, by an API key\n")
    assert not stranger.file.exists()
    assert key not in ada.good("login", server.url, "--api-key-stdin", stdin=f"{key}\n")
    assert ada.tokens() == {"api_key": key}
    assert stat.S_IMODE(ada.file.stat().st_mode) == 0o600
    ada.good("keys", "list")
    ada.good("login", server.url, "--api-key-stdin", stdin=narrow)
    assert "api_keys.read" in ada.refused(4, "keys", "list")
    assert "keeps working" in ada.run("logout").stderr
    assert server.get("/auth/me", key).status_code == 200


def test_tokens_are_sent_to_no_server_but_their_own(server: Installation, ada: Person) -> None:
    asked = []

    async def other(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.append(scope["path"])

    with background_server(other) as elsewhere:
        assert f"`touchstone login {elsewhere}`" in ada.refused(4, "whoami", TOUCHSTONE_SERVER=elsewhere)
    assert asked == []
    assert ada.good("whoami", TOUCHSTONE_SERVER=f"{server.url}/")


def test_a_key_is_shown_once_and_opens_until_it_is_revoked(server: Installation, ada: Person) -> None:
    made = ada.run(
        "keys", "create", "ci", "--scope", "projects.read", "--scope", "profile.read", "--expires", "2027-12-24"
    )
    key = made.stdout.strip()
    assert (made.returncode, made.stdout) == (0, f"{key}\n"), made.stderr
    assert "'ci'" in made.stderr
    assert key not in made.stderr
    assert server.get("/auth/me", key).json()["data"]["permissions"] == ["profile.read", "projects.read"]

    listed = ada.run("keys", "list")
    assert key not in listed.stdout + json.dumps(ada.listed())
    assert key[-4:] in listed.stdout
    assert "2027-12-24 00:00 UTC" in listed.stdout
    assert {"name": "ci", "last_four": key[-4:]}.items() <= ada.listed()[0].items()

    ada.good("keys", "revoke", "ci")
    assert server.get("/auth/me", key).status_code == 401
    assert ada.listed() == []
    assert "touchstone keys create" in ada.run("keys", "list").stderr


def test_a_key_as_json(ada: Person) -> None:
    made = json.loads(ada.good("keys", "create", "ci", "-o", "json"))
    assert made["key"].startswith("ak_")
    assert [made["id"]] == [key["id"] for key in ada.listed()]
    ada.good("keys", "revoke", made["id"].lower())
    assert ada.listed() == []


def test_every_page_of_keys_is_listed(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"k{number}" for number in range(5)]
    for name in names:
        ada.good("keys", "create", name)
    for size in (2, 5):
        monkeypatch.setattr(client, "_PAGE", size)
        assert sorted(key["name"] for key in ada.listed()) == names


def test_a_refusal_of_the_server_names_the_field(ada: Person) -> None:
    assert "scopes.0: " in ada.refused(2, "keys", "create", "x", "--scope", "everything")
    assert "name: " in ada.refused(2, "keys", "create", "x" * 101)
    assert "within ten years" in ada.refused(2, "keys", "create", "x", "--expires", "1990-01-01")
    assert "30d" in ada.refused(2, "keys", "create", "x", "--expires", "tomorrow")
    assert "users.write" in ada.refused(4, "keys", "create", "x", "--scope", "users.write")
    assert ada.listed() == []


def test_a_key_of_somebody_else_is_not_there(server: Installation, ada: Person, stranger: Person) -> None:
    theirs = json.loads(ada.good("keys", "create", "ci", "-o", "json"))
    stranger.email = server.sign_up()
    stranger.login(server)
    assert "no such API key" in stranger.refused(2, "keys", "revoke", theirs["id"])
    assert "no key called 'ci'" in stranger.refused(2, "keys", "revoke", "ci")
    assert "no such workspace" in stranger.refused(2, "keys", "list", "--workspace", workspace_of(ada))
    assert len(ada.listed()) == 1


def workspace_of(person: Person) -> str:
    return str(json.loads(person.good("whoami", "-o", "json"))["workspace_id"])


def test_a_name_that_two_keys_have_revokes_neither(ada: Person) -> None:
    ada.good("keys", "create", "twin")
    ada.good("keys", "create", "twin")
    said = ada.refused(2, "keys", "revoke", "twin")
    assert all(key["id"] in said for key in ada.listed())
    assert len(ada.listed()) == 2


def test_keys_are_those_of_the_workspace_that_is_named(server: Installation, ada: Person) -> None:
    headers = {"Authorization": f"Bearer {ada.tokens()['access_token']}"}
    made = [
        httpx2.post(f"{server.url}/api/v1/workspaces", json={"name": name}, headers=headers).json()["data"]["id"]
        for name in ("Team", "Twin", "Twin")
    ]
    ada.good("keys", "create", "ci", "--workspace", "Team")
    assert ada.listed() == []
    assert [key["name"] for key in ada.listed("--workspace", made[0].lower())] == ["ci"]
    assert made[2] in ada.refused(2, "keys", "list", "--workspace", "Twin")
    assert "no workspace called 'Nowhere'" in ada.refused(2, "keys", "list", "--workspace", "Nowhere")
    assert "no key called 'ci'" in ada.refused(2, "keys", "revoke", "ci")
    ada.good("keys", "revoke", "ci", "--workspace", "Team")
    assert ada.listed("--workspace", "Team") == []


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "said"),
    [
        (200, [("content-type", "text/html")], b"<h1>It works!</h1>", 3, "200, text/html"),
        (200, [("content-type", "application/json")], b'{"data": {"hello": "world"}}', 3, "is the address right?"),
        (200, [], b"\xff\x00", 3, "no Content-Type"),
        (404, [("content-type", "text/plain")], b"nothing here", 3, "is the address right?"),
        (301, [("location", "https://elsewhere.example/")], b"", 3, "elsewhere.example/; name the address"),
        (502, [("content-type", "text/html")], b"Bad gateway", 3, "502"),
        (503, [("retry-after", "7")], b'{"code": "x", "title": "Busy"}', 3, "Busy; try again in 7 s"),
        (500, [], b'{"code": "x", "title": "Oops", "request_id": "r1"}', 5, "failed: Oops (request r1)"),
        (400, [], b'{"code": "x", "title": "a\\u001b[2Jb"}', 2, "a\N{REPLACEMENT CHARACTER}[2Jb"),
    ],
)  # fmt: skip
def test_a_server_that_answers_something_else(
    stranger: Person, status: int, headers: list[tuple[str, str]], body: bytes, code: int, said: str
) -> None:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            sent = [(name.encode(), value.encode()) for name, value in headers]
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": body})

    with background_server(app) as url:
        words = ("login", url, "--email", "ada@example.com", "--password-stdin")
        line = stranger.refused(code, *words, stdin=PASSWORD)
    assert said in line
    assert "\x1b" not in line
    assert not stranger.file.exists()


def test_a_server_that_is_not_there_ends_with_3(stranger: Person) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    words = ("--email", "ada@example.com", "--password-stdin")
    assert "cannot be reached" in stranger.refused(3, "login", nowhere, *words, stdin=PASSWORD)
    environment = {"TOUCHSTONE_SERVER": nowhere, "TOUCHSTONE_API_KEY": "ak_x"}
    assert "cannot be reached" in stranger.refused(3, "keys", "list", **environment)


def test_secrets_leave_unencrypted_only_when_that_is_said(stranger: Person) -> None:
    words = ("--email", "ada@example.com", "--password-stdin")
    assert "--allow-http" in stranger.refused(2, "login", "http://192.0.2.1:8000", *words, stdin=PASSWORD)
    # An address that the outgoing door never calls: it is judged behind the question whether plain HTTP is allowed.
    forbidden = "http://169.254.169.254"
    assert "may be called" in stranger.refused(2, "login", forbidden, "--allow-http", *words, stdin=PASSWORD)
    done = stranger.run("whoami", TOUCHSTONE_SERVER=forbidden, TOUCHSTONE_API_KEY="ak_x")
    assert "not encrypted" in done.stderr.splitlines()[0]


def test_variables_of_the_client_do_not_stop_a_server(tmp_path: Path) -> None:
    both = {"TOUCHSTONE_SERVER": "http://127.0.0.1:8000", "TOUCHSTONE_API_KEY": "ak_x"}
    assert touchstone("migrate", folder=tmp_path, environment=both).returncode == 0


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/api/v1/docs", "http://127.0.0.1:8000"),
        ("HTTPS://Touchstone.Example/", "https://touchstone.example"),
        ("https://example.com/tools/touchstone/api/v1/", "https://example.com/tools/touchstone"),
        ("https://example.com/?next=%2F#top", "https://example.com"),
    ],
)
def test_the_address_that_people_copy_is_understood(text: str, url: str) -> None:
    assert server_url("SERVER_URL", text) == url == server_url("SERVER_URL", url)


@pytest.mark.parametrize(
    "text", ["localhost:8000", "ftp://example.com", "https://ada:secret@example.com", "https://a b"]
)
def test_an_address_that_is_none_is_refused(text: str, stranger: Person) -> None:
    said = stranger.refused(2, "login", text)
    assert "SERVER_URL" in said


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://localhost:8000", False),
        ("http://app.localhost", False),
        ("http://127.8.8.8", False),
        ("http://[::1]:8000", False),
        ("https://192.0.2.1", False),
        ("http://192.0.2.1", True),
        ("http://localhost.example.com", True),
        ("http://127.0.0.1.example.com", True),
    ],
)
def test_plain_http_is_private_on_this_machine_only(url: str, clear: bool) -> None:
    assert sends_in_the_clear(url) is clear


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", NOW + timedelta(hours=12)),
        ("30d", NOW + timedelta(days=30)),
        ("4w", NOW + timedelta(weeks=4)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T10:00+02:00", datetime(2027, 1, 31, 8, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_span_or_a_date(text: str, moment: datetime) -> None:
    assert expiry(text, NOW) == moment


@given(st.text("0123456789hdwTZ-+:. "))
def test_an_expiry_is_understood_or_refused(text: str) -> None:
    try:
        moment = expiry(text, NOW)
    except ValueError as error:
        assert "30d" in str(error)  # noqa: PT017
    else:
        assert moment.tzinfo is not None
