"""`touchstone serve`, `worker`, `migrate`, `lab` and `openapi`."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import typer
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError

from backend.app.commands.terminal import UNREACHABLE, USAGE, fail
from backend.app.core.redaction import remember_settings
from backend.app.core.secrets import sealer, secret_keys
from backend.app.core.settings import Settings, load_settings
from backend.app.db import migrate
from backend.app.db.engine import create_engine
from backend.app.db.sealed import require_openable
from backend.app.db.session import Database


def run_server(host: str | None, port: int | None) -> int:
    import uvicorn

    from backend.app.extensions.server import HttpProtocol
    from backend.app.main import create_app

    settings = load_settings()
    web = settings.web.model_copy(update={k: v for k, v in (("host", host), ("port", port)) if v is not None})
    settings = settings.model_copy(update={"web": web})
    with _listening(web.host, web.port) as listener:
        require_ready(settings)
        _require_openable(settings)
        docs = f" (try it out: http://{web.host}:{web.port}/api/v1/docs)" if settings.serve_docs else ""
        typer.echo(f"Touchstone listens on http://{web.host}:{web.port}/api/v1{docs}; Ctrl-C ends it", err=True)
        config = uvicorn.Config(
            create_app(settings),
            http=HttpProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # core.client_address reads them
            timeout_graceful_shutdown=int(settings.jobs.shutdown_s),
        )
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when everything is over
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def run_jobs(queues: tuple[str, ...], burst: bool, name: str | None) -> int:
    from backend.app.core.runner import QUEUES
    from backend.app.extensions.logging import configure_logging
    from backend.app.worker import run_worker

    if unknown := [queue for queue in queues if queue not in QUEUES]:
        fail(f"there is no queue {unknown[0]!r}; there are: {', '.join(QUEUES)}", USAGE)
    settings = load_settings()
    require_ready(settings)
    _require_openable(settings)
    remember_settings(settings)
    configure_logging(settings.logging)
    return run_worker(settings, queues or QUEUES, burst, name)


def run_migrate(revision: str) -> int:
    from alembic.util import CommandError

    settings = load_settings().database
    url = settings.url
    with _database_faults(url):
        before = migrate.current(url)
        try:
            if revision == "base" or (revision.isdecimal() and revision < (before or "")):
                migrate.downgrade(url, revision)
            else:
                migrate.upgrade(url, revision, role=settings.role)
        except CommandError as error:
            fail(f"{error}; the newest is {migrate.head()}", USAGE)
        after = migrate.current(url)
    typer.echo(f"database: {before or 'empty'} -> {after or 'empty'}", err=True)
    return 0


def run_lab(name: str, port: int) -> int:
    import uvicorn

    from backend.app.modules.labs.recipes import recipes

    if name not in recipes.names():
        fail(f"there is no recipe {name!r}; there are: {', '.join(recipes.names())}", USAGE)
    recipe = recipes.get(name)
    lab = recipe.create(1, True)
    with _listening("127.0.0.1", port) as listener:
        header, value = next(iter(lab.credentials.items()))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        typer.echo(f"{recipe.title}: {address}/openapi.json   {header}: {value}   Ctrl-C ends it.", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            config = uvicorn.Config(lab, log_config=None, access_log=False, timeout_graceful_shutdown=5)
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def print_openapi(path: Path | None) -> int:
    import orjson

    from backend.app.main import create_app

    document = orjson.dumps(create_app(load_settings()).openapi(), option=orjson.OPT_INDENT_2).decode()
    if path is None:
        typer.echo(document)
    else:
        path.write_text(document + "\n")
    return 0


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections, so that a port in use is known before anything else is done."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with contextlib.ExitStack() as stack:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, _, _, _, address = found[0]
            listener = stack.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            fail(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or --host", USAGE)
        yield listener


def require_ready(settings: Settings) -> None:
    """A missing key and an unmigrated database are refused with what to do; the embedded mode helps itself."""
    secret_keys(settings)
    with _database_faults(settings.database.url):
        if settings.auto_migrate:
            migrate.upgrade(settings.database.url, role=settings.database.role)
        elif migrate.current(settings.database.url) != migrate.head():
            fail(str(migrate.NotMigratedError()), USAGE)


def _require_openable(settings: Settings) -> None:
    async def check() -> None:
        database = Database(create_engine(settings.database))
        try:
            await require_openable(database, sealer(settings))
        finally:
            await database.close()

    with _database_faults(settings.database.url):
        asyncio.run(check())


@contextlib.contextmanager
def _database_faults(url: str) -> Iterator[None]:
    """Ends with one line in place of a driver's traceback."""
    try:
        backend = make_url(url).drivername
    except ArgumentError:
        backend = ""
    if backend not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        fail("database.url: write sqlite+aiosqlite:///file.db or postgresql+asyncpg://USER:PASSWORD@HOST/NAME", USAGE)
    shown = make_url(url).render_as_string(hide_password=True)
    file = make_url(url).database
    if (
        backend == "sqlite+aiosqlite"
        and file
        and not file.startswith((":", "file:"))
        and not Path(file).parent.is_dir()
    ):
        fail(f"the database {shown} cannot be used: there is no folder {Path(file).parent}", UNREACHABLE)
    try:
        yield
    except (OSError, TimeoutError) as error:
        fail(f"the database {shown} cannot be reached: {error.strerror or error or 'no answer'}", UNREACHABLE)
    except (DBAPIError, InvalidRequestError) as error:
        reason = str(getattr(error, "orig", None) or error).rpartition(": ")[2]
        fail(f"the database {shown} cannot be used: {reason}", UNREACHABLE)
