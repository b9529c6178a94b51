"""Fixtures of the whole suite: real engines, settings, and no network beyond this machine."""

import gc
import importlib.util
import os
import sys
import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from backend.app.core import redaction
from backend.app.core.settings import AuthSettings, DatabaseSettings, RateSettings, Settings, StorageSettings
from tests.support import databases
from tests.support.network import close_network

ENGINES = ("sqlite", "postgresql")

# How fast a machine is decides nothing.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

# httpx2 imports it for every request to an application, and what is not installed is searched for each time.
if importlib.util.find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]

close_network(databases.named_hosts())
# structlog's default draws a traceback in colour, which takes seconds of CPU for a deep one.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are numbered: what was packed has the time in it, and every worker has to find the same names."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Each worker collects at a time of its own: a name with a time in it ends every run, not one of many."""
    now, worker = time.time, int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now() + 10 * worker)
        collected = yield
    gc.freeze()  # what is there stays to the end, and is too much to be searched for garbage again and again
    gc.set_threshold(10_000, 20, 50)
    return collected


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> None:
    """What a developer's shell sets for Touchstone is not for the tests."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _nothing_to_mask() -> None:
    """A secret of one test is a word like any other in the next."""
    redaction._values.clear()


@pytest.fixture
def postgres_url() -> str:
    """A migrated PostgreSQL database without a row."""
    url = databases.postgres_database()
    databases.postgres().empty(url)
    return url


@pytest.fixture
def redis_url() -> str:
    """An empty Redis database."""
    from redis import Redis

    url = databases.redis_server_url()
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without a row, on each engine."""
    if request.param == "sqlite":
        return databases.kept_sqlite_database()
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Any]:
    """On `database_url`. It sees every workspace: `databases.behind_the_wall` is what to give to the product."""
    database = databases.overview(database_url)
    yield database
    await database.close()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A `git_host.GitHost` whose certificate is trusted."""
    from tests.support import git_host

    git_host.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with git_host.serving() as host:
        yield host


@pytest.fixture(scope="session")
def plain_settings(_own_environment: None) -> Settings:
    """Read once: to look through the environment takes a millisecond."""
    auth = AuthSettings(secret_key="a secret key for the tests, 32 or more")
    return Settings(auth=auth, rates=RateSettings(enabled=False))


@pytest.fixture
def settings(plain_settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    """Settings of the embedded mode on `database_url`; its files are in `tmp_path`."""
    places = {"database": DatabaseSettings(url=database_url), "storage": StorageSettings(data_dir=tmp_path / "data")}
    return plain_settings.model_copy(update=places)
