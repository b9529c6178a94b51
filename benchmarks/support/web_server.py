"""One of the servers that `benchmarks.web` loads, on uvicorn with uvloop and httptools.

    python -m benchmarks.support.web_server bare|naive|ours [DATABASE_URL]

prints its port, then serves until its standard input closes. Each has 480 routes beside those that are asked.
"""

import asyncio
import os
import sys
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI

from backend.app.core.permissions import Permission
from backend.app.core.responses import Envelope, envelope
from backend.app.core.settings import DatabaseSettings, JobSettings, RateSettings, Settings, WebSettings
from backend.app.core.views import PUBLIC, access_control, view
from backend.app.main import create_app
from benchmarks.support import naive_app

ROUTERS = 20
ROUTES_EACH = 24
EMPTY = "/api/v1/area19/empty"
UNREACHED = "100000000/minute"
"""Requests are counted as everywhere, and none is refused."""


def ours(url: str) -> FastAPI:
    app = create_app(
        Settings(
            database=DatabaseSettings(url=url, auto_migrate=False),
            web=WebSettings(docs=False),
            jobs=JobSettings(in_process=False),
            rates=RateSettings(public=UNREACHED, sign_in=UNREACHED, signed_in=UNREACHED),
        )
    )
    for number in range(ROUTERS):
        app.include_router(_area(number), prefix="/api/v1")
    return app


def _area(number: int) -> APIRouter:
    """A router of the usual shape: `/areaN/thingM/{thing_id}`, and one empty public route."""
    router = APIRouter()
    methods: dict[str, Any] = {}

    def add(name: str, path: str, access: Any) -> None:
        async def method(self: Any) -> Envelope[None]:
            return envelope(None)

        method.__name__ = name
        methods[name] = router.get(path)(access_control(access)(method))

    for route in range(ROUTES_EACH - 1):
        add(f"read_{number}_{route}", f"/area{number}/thing{route}/{{thing_id}}", Permission.EVENTS_READ)
    add(f"read_{number}_empty", f"/area{number}/empty", PUBLIC)
    view(router)(type(f"Area{number}Views", (), methods))
    return router


def bare() -> FastAPI:
    app = FastAPI()

    @app.get(EMPTY)
    async def empty() -> None:
        return None

    return app


async def main() -> None:
    kind, *rest = sys.argv[1:]
    app = bare() if kind == "bare" else naive_app.create(rest[0]) if kind == "naive" else ours(rest[0])
    config = uvicorn.Config(app, port=0, loop="uvloop", http="httptools", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    listener.listen()  # who asks before the start-up is over waits
    print(listener.getsockname()[1], flush=True)
    serving = asyncio.create_task(server.serve([listener]))
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import uvloop

    uvloop.run(main())
