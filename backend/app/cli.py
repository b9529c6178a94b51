"""`touchstone`. Heavy imports stand inside the commands: `--help` answers at once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from backend import __version__
from backend.app.commands.terminal import AUTH_HELP, INTERNAL, USAGE, fail

app = typer.Typer(
    name="touchstone",
    help="Discover an HTTP API, scan it, name its faults, and watch for what looks unlike itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from TOUCHSTONE_* variables, .env and touchstone.toml. Documentation: DOCUMENTATION.md.",
)


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"


OutputOption: TypeAlias = Annotated[Output, typer.Option("-o", "--output", help="What stands on stdout.")]
WorkspaceOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Id or name of the workspace. Default: your personal one, or that of the API key.")
]


class ScanType(StrEnum):
    QUICK = "quick"
    FULL = "full"


class Inventory(StrEnum):
    TABLE = "table"
    JSON = "json"
    OPENAPI = "openapi"


class Report(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


class Drift(StrEnum):
    BREAKING = "breaking"
    RISKY = "risky"
    NEVER = "never"


class Level(StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def main() -> None:
    """The entry point: what nobody foresaw ends with exit code 5 and one line."""
    try:
        app()
    except Exception as error:
        from backend.app.core.settings import SettingsError

        if isinstance(error, SettingsError):
            fail(str(error), USAGE)
        import traceback

        traceback.print_exc()
        typer.echo("touchstone: internal error; please report it with the lines above.", err=True)
        raise SystemExit(INTERNAL) from None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"touchstone {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    pass


@app.command()
def check(
    spec: Annotated[str, typer.Argument(metavar="SPEC_OR_URL", help="A spec (file or URL), or the URL of the API.")],
    base_url: Annotated[str | None, typer.Option(help="Where the API runs, when the spec does not say.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("-H", "--header", help="'Name: value', sent with every request. Repeatable.")
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(help=AUTH_HELP),
    ] = None,
    scan_type: Annotated[
        ScanType, typer.Option("--scan", help="quick: read only; full: every operation.")
    ] = ScanType.FULL,
    max_requests: Annotated[int, typer.Option(min=1, help="Stop after so many requests.")] = 2000,
    max_time: Annotated[float, typer.Option(min=0.1, help="Stop after so many seconds.")] = 300.0,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Requests a second at most.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Requests in flight at most.")] = 8,
    seed: Annotated[int, typer.Option(help="The same seed makes the same requests.")] = 0,
    report: Annotated[
        list[str] | None, typer.Option(metavar="KIND=PATH", help="Write a report: json or junit. Repeatable.")
    ] = None,
    fail_on: Annotated[Level, typer.Option(help="Exit with 1 when there is a finding at or above this.")] = Level.LOW,
    output: OutputOption = Output.TEXT,
    insecure: Annotated[bool, typer.Option(help="Accept any TLS certificate of the target.")] = False,
) -> None:
    """Discover, scan and judge an API, with no server and no database.

    Exit codes: 0 good, 1 findings at or above --fail-on, 2 usage or spec error, 3 target unreachable,
    4 not authorised, 5 internal, 130 interrupted.
    """
    from backend.app.commands.check import CheckOptions, run_check

    options = CheckOptions(
        spec=spec,
        base_url=base_url,
        headers=tuple(header or ()),
        auth=auth,
        scan_type=scan_type.value,
        max_requests=max_requests,
        max_seconds=max_time,
        rate=rate,
        workers=workers,
        seed=seed,
        reports=tuple(report or ()),
        fail_on=fail_on.value,
        as_json=output is Output.JSON,
        verify_tls=not insecure,
    )
    raise typer.Exit(run_check(options))


@app.command()
def discover(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC...",
            help="A directory or an archive of source code, a git repository (https://...git), a capture of traffic, a "
            "spec (file or URL), or the URL of an API.",
        ),
    ],
    output: Annotated[Inventory, typer.Option("-o", "--output", help="What stands on stdout.")] = Inventory.TABLE,
    base_url: Annotated[
        str | None, typer.Option(help="Where the API runs: decides what of traffic and code belongs to it.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="Ask the API too, with GET, HEAD and OPTIONS only: what answers, and what does not."
        ),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="Keep what was read of source files here: the next run is faster.")
    ] = None,
) -> None:
    """List the endpoints of source code, specs, captures of traffic and a running API as one inventory, and who vouches
    for each: active, shadow (answers, not documented), undocumented (in code only), dead (documented, not there).

    Source code is read and never run: Express, Fastify, Koa, NestJS; FastAPI, Starlette, Flask, Django; Spring.
    Captures are told by their content: HAR, Postman, curl lines, Insomnia, Bruno, access logs.
    Exit codes: 0 good, 2 usage or spec error, 3 unreachable, 5 internal, 130 interrupted.
    """
    from backend.app.commands.discover import DiscoverOptions, run_discover

    options = DiscoverOptions(tuple(sources), output.value, base_url, live, cache)
    raise typer.Exit(run_discover(options))


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A spec, as file or URL.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one, in any version of OpenAPI or Swagger.")],
    fail_on: Annotated[Drift, typer.Option(help="Exit with 1 when there is a change as bad as this.")] = Drift.BREAKING,
    output: Annotated[
        Report, typer.Option("-o", "--output", help="What stands on stdout. github: annotations of a workflow run.")
    ] = Report.TEXT,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all changes and all operations, however many.")
    ] = False,
) -> None:
    """Say what differs between two specs, and whether it breaks clients of the old one.

    Each change is breaking, risky or safe by a documented rule: docs/reference/diff-rules.md.
    Exit codes: 0 good, 1 changes at or above --fail-on, 2 usage or spec error, 3 unreachable, 5 internal,
    130 interrupted.
    """
    from backend.app.commands.diff import run_diff

    raise typer.Exit(run_diff(old, new, fail_on.value, output.value, everything=everything))


@app.command()
def demo(
    target: Annotated[str | None, typer.Option(help="A spec's URL; without it a small faulty API of ours.")] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Where the target runs, when its spec names another host.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Where Touchstone listens. Default: 8000, or a free port.")
    ] = None,
    stay: Annotated[
        bool | None, typer.Option("--stay/--no-stay", help="Keep serving at the end. Default: on a terminal.")
    ] = None,
) -> None:
    """One process, SQLite, no Redis: discover an API, scan it five times, and tell the story."""
    from backend.app.commands.demo import run_demo

    raise typer.Exit(run_demo(target, base_url, port, stay))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Run the API (and, without Redis, the jobs)."""
    from backend.app.commands.serve import run_server

    raise typer.Exit(run_server(host, port))


@app.command()
def worker(
    queues: Annotated[list[str] | None, typer.Argument(help="Queues to work on, in order. Default: all.")] = None,
    burst: Annotated[bool, typer.Option("--burst", "-b", help="Stop when no job is due.")] = False,
    name: Annotated[str | None, typer.Option("--name", "-n", help="The worker's name.")] = None,
) -> None:
    """Perform jobs beside the API process."""
    from backend.app.commands.serve import run_jobs

    raise typer.Exit(run_jobs(tuple(queues or ()), burst, name))


@app.command()
def migrate(
    revision: Annotated[str, typer.Argument(help="Where to go; 'head' is the newest, 'base' is empty.")] = "head",
) -> None:
    """Bring the database to the schema of this version."""
    from backend.app.commands.serve import run_migrate

    raise typer.Exit(run_migrate(revision))


@app.command()
def lab(
    recipe: Annotated[str, typer.Argument(help="Which one; GET /api/v1/plugins lists them.")] = "bookshop",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")] = 3000,
) -> None:
    """Run a small API with faults to practise on. It prints its address and the key that lets you in."""
    from backend.app.commands.serve import run_lab

    raise typer.Exit(run_lab(recipe, port))


@app.command()
def login(
    server_url: Annotated[
        str | None, typer.Argument(help="Where the server is. Default: the last one, or http://127.0.0.1:8000.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="The address to sign in with. Default: it is asked for.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin in place of asking for it.")
    ] = False,
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Sign in with an API key, which is read from stdin.")
    ] = False,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="Send secrets unencrypted to another machine.")
    ] = False,
) -> None:
    """Sign in to a Touchstone server, for the commands that talk to one.

    CI needs no sign-in: TOUCHSTONE_SERVER and TOUCHSTONE_API_KEY take its place.
    Exit codes of these commands: 0 good, 2 usage, 3 server unreachable, 4 not authorised, 5 internal.
    """
    from backend.app.commands.login import log_in

    raise typer.Exit(log_in(server_url, email, password_stdin, api_key_stdin, allow_http))


@app.command()
def logout() -> None:
    """End the session at the server, and forget its tokens."""
    from backend.app.commands.login import log_out

    raise typer.Exit(log_out())


@app.command()
def whoami(output: OutputOption = Output.TEXT) -> None:
    """Show who is signed in, where, and in which workspaces."""
    from backend.app.commands.login import who_am_i

    raise typer.Exit(who_am_i(output is Output.JSON))


keys = typer.Typer(help="Your API keys at the server.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A permission, such as scans.write. Repeatable. Default: all that you have."),
    ] = None,
    workspace: WorkspaceOption = None,
    expires: Annotated[
        str | None, typer.Option(help="12h, 30d, 4w, or a date such as 2027-01-31 (UTC). Default: never.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make an API key and print it, this once: nothing else stands on stdout."""
    from backend.app.commands.keys import create_key

    raise typer.Exit(create_key(name, scope, workspace, expires, output is Output.JSON))


@keys.command("list")
def list_keys(workspace: WorkspaceOption = None, output: OutputOption = Output.TEXT) -> None:
    """List your API keys in the workspace, newest first."""
    from backend.app.commands.keys import list_keys

    raise typer.Exit(list_keys(workspace, output is Output.JSON))


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Its id or its name.")], workspace: WorkspaceOption = None
) -> None:
    """Revoke an API key: it opens nothing any more, from the next second on."""
    from backend.app.commands.keys import revoke_key

    raise typer.Exit(revoke_key(key, workspace))


secrets = typer.Typer(help="Secrets at rest.", no_args_is_help=True)
app.add_typer(secrets, name="secrets")


@secrets.command("rotate")
def rotate() -> None:
    """Seal every stored secret with the newest secret key, beside running servers.

    Start the servers with the newest key in auth.secret_key and the former ones in auth.previous_keys first.
    Exit code 1: some secret needs a key that is not configured.
    """
    from backend.app.commands.secrets import rotate_secrets

    raise typer.Exit(rotate_secrets())


admin = typer.Typer(help="The installation and its users.", no_args_is_help=True)
app.add_typer(admin, name="admin")


@admin.command("create")
def create_admin(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    first_name: Annotated[str, typer.Option(help="Shown to others.")] = "Touchstone",
    last_name: Annotated[str, typer.Option(help="Shown to others.")] = "Administrator",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin in place of asking for it.")
    ] = False,
) -> None:
    """Make an administrator of the installation; an account that exists becomes one and keeps its password."""
    from backend.app.commands.admin import create_administrator

    raise typer.Exit(create_administrator(email, first_name, last_name, password_stdin))


@app.command()
def openapi(
    path: Annotated[Path | None, typer.Argument(help="Write to this file in place of stdout.")] = None,
) -> None:
    """Print the OpenAPI document of Touchstone's own API."""
    from backend.app.commands.serve import print_openapi

    raise typer.Exit(print_openapi(path))
