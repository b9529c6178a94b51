"""Everything that answers HTTP: the modules' routers under `/api/v1`, and what operators ask for at the root."""

import base64
import hashlib
import importlib
import importlib.util
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from backend import __version__
from backend.app.core.permissions import Permission
from backend.app.core.registry import Registry
from backend.app.core.responses import Envelope, dump_json, envelope
from backend.app.core.runtime import Runtime, runtime_of
from backend.app.core.schema import BaseSchema
from backend.app.core.views import access_control, view
from backend.app.db import jobs
from backend.app.db.migrate import is_current
from backend.app.db.tenancy import EVERY_WORKSPACE
from backend.app.engine.checks import checks
from backend.app.engine.diff.rules import rules as diff_rules
from backend.app.engine.reports import reports
from backend.app.extensions.metrics import JobCount, exposition
from backend.app.modules import MODULES
from backend.app.modules.anomalies.detectors import detectors
from backend.app.modules.endpoints.discovery import strategies
from backend.app.modules.endpoints.discovery.captures.formats import formats
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.labs.recipes import recipes
from backend.app.modules.scans.service import count_requests

API_PREFIX = "/api/v1"
PLUGINS: tuple[Registry[Any], ...] = (
    checks,
    detectors,
    diff_rules,
    strategies,
    formats,
    frameworks,
    recipes,
    reports,
)
_PROBE = text("SELECT 1")
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_ASSETS = Path(fastapi_offline.__file__).parent / "static"


def module_part(module: str, part: str) -> Any | None:
    """`backend.app.modules.<module>.<part>`, or None where the module has no such file."""
    name = f"backend.app.modules.{module}.{part}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def include_modules(app: FastAPI) -> None:
    for module in MODULES:
        module_part(module, "handlers")
        if part := module_part(module, "router"):
            for router in getattr(part, "routers", (part.router,)):
                app.include_router(router, prefix=API_PREFIX, tags=[module])
    app.include_router(_plugins, prefix=API_PREFIX, tags=["plugins"])


class Plugin(BaseSchema):
    name: str
    """As settings and requests name it."""
    description: str
    """What it does."""


class PluginFamily(BaseSchema):
    family: str
    """What its plug-ins do: `check`, `discovery`, `report`, ..."""
    plugins: list[Plugin]
    """In alphabetical order."""


_plugins = APIRouter()


@view(_plugins)
class PluginViews:
    @_plugins.get("/plugins")
    @access_control(Permission.PROFILE_READ)
    async def list_plugins(self) -> Envelope[list[PluginFamily]]:
        """The plug-ins of this installation by family: checks, detectors, rules of drift, discovery strategies with the
        frameworks and captures that they read, recipes, reports."""
        return envelope([_family(registry) for registry in PLUGINS])


def _family(registry: Registry[Any]) -> PluginFamily:
    plugins = [Plugin(name=name, description=registry.describe(name)) for name in registry.names()]
    return PluginFamily(family=registry.family, plugins=plugins)


class ReadyCheck(BaseSchema):
    ok: bool
    """Whether it passed."""
    ms: float
    """What the check took."""
    error: str = ""
    """The kind of error that it met."""


class Readiness(BaseSchema):
    status: Literal["ok", "degraded", "failed"]
    """`degraded`: only the queue is away, and jobs run by the sweep."""
    checks: dict[str, ReadyCheck]
    """`database`, `queue` and `migrations`."""


def include_operations(app: FastAPI) -> None:
    public: dict[str, Any] = {"tags": ["operations"], "openapi_extra": {"x-permission": "public"}}

    @app.get("/health", **public)
    async def health() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    failed_check = {"model": Readiness, "description": "The process cannot do its work"}

    @app.get("/health/ready", response_model=Readiness, responses={503: failed_check}, **public)
    async def ready(request: Request) -> Response:
        """Whether the process can do its work: database, queue and migrations, each with the time it took.

        A queue that is away degrades the answer but does not fail it: requests succeed and jobs run by the sweep.
        """
        runtime = runtime_of(request)
        checks = {
            "database": await _timed(lambda: _ask_database(runtime)),
            "queue": await _timed(runtime.hub.queue.ping),
            "migrations": await _timed(lambda: _ask_migrations(runtime)),
        }
        failed = [name for name, check in checks.items() if not check["ok"]]
        status = "ok" if not failed else "degraded" if failed == ["queue"] else "failed"
        body = dump_json({"status": status, "checks": checks})
        return Response(body, 503 if status == "failed" else 200, media_type="application/json")

    @app.get("/version", **public)
    async def version() -> dict[str, str]:
        """The name and the version of what runs here."""
        return {"name": "touchstone", "version": __version__}

    @app.get("/metrics", response_class=PlainTextResponse, responses={404: {"description": "Switched off"}}, **public)
    async def metrics(request: Request) -> Response:
        """Prometheus text format."""
        runtime = runtime_of(request)
        if not runtime.settings.web.metrics:
            return Response(status_code=404)
        async with runtime.database.transaction(EVERY_WORKSPACE, write=False) as session:
            counts = [JobCount(*row) for row in await jobs.counts(session)]
            requests = await count_requests(session)
        return Response(exposition(counts, requests), media_type="text/plain; version=0.0.4")


def include_docs(app: FastAPI) -> None:
    """Swagger UI from the files of an installed package: the page asks no other host for anything."""
    assets = f"{API_PREFIX}/docs/assets"
    app.mount(assets, StaticFiles(directory=_ASSETS), name="docs-assets")

    @app.get("/", include_in_schema=False)
    async def front() -> RedirectResponse:
        return RedirectResponse(f"{API_PREFIX}/docs")

    page = get_swagger_ui_html(
        openapi_url=f"{API_PREFIX}/openapi.json",
        title="Touchstone API",
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    page.headers["Content-Security-Policy"] = _docs_policy(bytes(page.body))

    @app.get(f"{API_PREFIX}/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page


def _docs_policy(page: bytes) -> str:
    """The page's own scripts run, and no other (CSP level 3, 2.3.1); Swagger UI styles its elements one by one."""
    digests = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE_SCRIPT.findall(page)]
    scripts = ["'self'", *(f"'sha256-{digest}'" for digest in digests)]
    return (
        f"default-src 'none'; script-src {' '.join(scripts)}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )


async def _timed(check: Callable[[], Awaitable[Any]]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        result = await check()
        answer: dict[str, Any] = {"ok": result is not False}
    except Exception as error:
        answer = {"ok": False, "error": type(error).__name__}
    answer["ms"] = round((time.perf_counter() - started) * 1000, 2)
    return answer


async def _ask_database(runtime: Runtime) -> None:
    async with runtime.database.transaction(write=False) as session:
        await session.execute(_PROBE)


async def _ask_migrations(runtime: Runtime) -> bool:
    return await is_current(runtime.database.engine)
