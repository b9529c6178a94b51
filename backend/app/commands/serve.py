"""`touchstone serve`, `worker`, `migrate` and `openapi`."""

from pathlib import Path

import typer

from backend.app.commands.terminal import USAGE, fail
from backend.app.core.secrets import secret_key
from backend.app.core.settings import Settings, load_settings
from backend.app.db import migrate


def run_server(host: str | None, port: int | None) -> int:
    import uvicorn

    from backend.app.main import create_app

    settings = load_settings()
    web = settings.web.model_copy(update={k: v for k, v in (("host", host), ("port", port)) if v is not None})
    settings = settings.model_copy(update={"web": web})
    _require_ready(settings)
    typer.echo(f"Touchstone listens on http://{web.host}:{web.port}/api/v1 (documents: /api/v1/docs)", err=True)
    uvicorn.run(
        create_app(settings),
        host=web.host,
        port=web.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.jobs.shutdown_s),
    )
    return 0


def run_jobs(queues: tuple[str, ...], burst: bool, name: str | None) -> int:
    from backend.app.core.runner import QUEUES
    from backend.app.extensions.logging import configure_logging
    from backend.app.worker import run_worker

    if unknown := [queue for queue in queues if queue not in QUEUES]:
        fail(f"there is no queue {unknown[0]!r}; there are: {', '.join(QUEUES)}", USAGE)
    settings = load_settings()
    _require_ready(settings)
    configure_logging(settings.logging)
    return run_worker(settings, queues or QUEUES, burst, name)


def run_migrate(revision: str) -> int:
    url = load_settings().database.url
    before = migrate.current(url)
    if revision == "head" or before is None:
        migrate.upgrade(url, revision)
    else:
        migrate.downgrade(url, revision)
    typer.echo(f"database: {before or 'empty'} -> {migrate.current(url) or 'empty'}", err=True)
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


def _require_ready(settings: Settings) -> None:
    """A missing key and an unmigrated database are refused with what to do; the embedded mode helps itself."""
    secret_key(settings)
    if settings.auto_migrate:
        migrate.upgrade(settings.database.url)
    elif migrate.current(settings.database.url) != migrate.head():
        fail(str(migrate.NotMigratedError()), USAGE)
