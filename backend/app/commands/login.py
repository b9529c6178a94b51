"""`touchstone login`, `logout` and `whoami`."""

import contextlib
import os
import sys
from typing import Literal

import typer
from pydantic import BaseModel

from backend.app.commands.client import (
    DEFAULT_SERVER,
    SERVER_VARIABLE,
    Client,
    Nothing,
    Server,
    ServerFault,
    sends_in_the_clear,
    server_url,
    with_client,
    with_http,
)
from backend.app.commands.sign_in_file import ApiKey, SignIn, SignInFile, Tokens, UnusableFile
from backend.app.commands.terminal import GOOD, USAGE, fail, print_json, printable, read_secret, table, warn
from backend.app.extensions.http_client import HttpClient


class _Credential(BaseModel):
    kind: Literal["access_token", "api_key"]
    email: str
    workspace_id: str


class _Workspace(BaseModel):
    id: str
    name: str
    role: str


def log_in(server: str | None, email: str | None, password_stdin: bool, api_key_stdin: bool, allow_http: bool) -> int:
    if api_key_stdin and (password_stdin or email):
        fail("--api-key-stdin needs neither --email nor --password-stdin: the key says whose it is", USAGE)
    file, former = SignInFile(), None
    with contextlib.suppress(UnusableFile):  # it is replaced anyway
        former = file.read()
    usual = os.environ.get(SERVER_VARIABLE) or (former.server if former else DEFAULT_SERVER)
    url = server_url("SERVER_URL", server or usual)
    if sends_in_the_clear(url) and not allow_http:
        fail(f"{url} is not encrypted: write https://, or --allow-http if you trust everybody on the way", USAGE)
    if api_key_stdin:
        secret = read_secret("API key", True, option="--api-key-stdin").strip()
    else:
        address = email or _ask_email(url)
        secret = read_secret("Password", password_stdin, option="--password-stdin")

    async def work(http: HttpClient) -> int:
        door = Server(http, url)
        if api_key_stdin:
            sign_in = await _by_api_key(door, secret, file)
        else:
            tokens = await door.ask(Tokens, "POST", "/auth/login", {"email": address, "password": secret})
            sign_in = SignIn(server=url, email=address, credential=tokens)
        if former is not None and former.server == url:
            with contextlib.suppress(ServerFault, UnusableFile):
                await _end_session(Client(door, former, file))
        with file.locked():
            file.write(sign_in)
        whose = f" as {sign_in.email}" if sign_in.email else ""
        what = "API key is" if api_key_stdin else "tokens are"
        typer.echo(printable(f"Signed in to {url}{whose}; the {what} in {file.path}"))
        return GOOD

    return with_http(work)


def log_out() -> int:
    """The file goes in any case."""
    file = SignInFile()
    try:
        sign_in = file.read()
    except UnusableFile as fault:
        warn(f"{fault}; the session in it is not ended")
        sign_in = None
    else:
        if sign_in is None:
            warn("you are not signed in")
            return GOOD

    async def work(http: HttpClient) -> int:
        if sign_in is not None:
            try:
                await _end_session(Client(Server(http, sign_in.server), sign_in, file))
            except ServerFault as fault:
                if fault.status != 401:  # the session is over already
                    warn(f"{fault}. The session there is not ended: it expires, or `POST /auth/logout` ends it")
            if isinstance(sign_in.credential, ApiKey):
                warn("the API key keeps working until it is revoked")
        with file.locked():
            file.remove()
        typer.echo(f"Signed out; {file.path} is removed")
        return GOOD

    return with_http(work)


def who_am_i(as_json: bool) -> int:
    async def work(client: Client) -> int:
        credential = await client.ask(_Credential, "GET", "/auth/verify")
        workspaces: list[_Workspace] = []
        with contextlib.suppress(ServerFault):  # a key may be too narrow
            workspaces = await client.rows(_Workspace, "/workspaces")
        if as_json:
            listed = [workspace.model_dump() for workspace in workspaces]
            print_json({"server": client.sign_in.server, **credential.model_dump(), "workspaces": listed})
            return GOOD
        means = {"access_token": "a session", "api_key": "an API key"}[credential.kind]
        typer.echo(printable(f"{credential.email} at {client.sign_in.server}, by {means}"))
        rows = [
            (each.name, each.id, each.role, "active" if each.id == credential.workspace_id else "")
            for each in workspaces
        ]
        if rows:
            typer.echo(table([("WORKSPACE", "ID", "ROLE", ""), *rows]))
        return GOOD

    return with_client(work)


def _ask_email(url: str) -> str:
    if not sys.stdin.isatty():
        fail("there is no terminal to ask for the e-mail address: name it with --email", USAGE)
    warn(f"signing in to {url}")
    return str(typer.prompt("E-mail address", err=True))


async def _by_api_key(server: Server, key: str, file: SignInFile) -> SignIn:
    """Raises `ServerFault` for a key that does not open the server."""
    sign_in = SignIn(server=server.url, email=None, credential=ApiKey(api_key=key))
    try:
        whose = await Client(server, sign_in, file).ask(_Credential, "GET", "/auth/verify")
    except ServerFault as fault:
        if fault.status != 403:  # it is good, but may not read its owner's profile
            raise
        return sign_in
    return sign_in.model_copy(update={"email": whose.email})


async def _end_session(client: Client) -> None:
    """Does nothing for an API key. Raises `ServerFault`, `UnusableFile`."""
    if isinstance(client.sign_in.credential, Tokens):
        await client.ask(Nothing, "POST", "/auth/logout")
