import subprocess
import sys
from collections.abc import Callable

import pytest
from redis import Redis

from backend.app.db import migrate
from tests.support.databases import Postgres
from tests.support.servers import PostgresServer, RedisServer, Server


@pytest.mark.parametrize("make", [PostgresServer, RedisServer])
def test_a_stopped_server_leaves_nothing(make: Callable[[], Server]) -> None:
    server = make()
    server.stop()
    assert not server.is_ready()
    assert not server.home.exists()


def test_postgres_keeps_its_data_through_a_crash() -> None:
    server = PostgresServer()
    administrator = Postgres(server.url)
    url = administrator.create()
    administrator.close()
    server.kill()
    server.start()
    assert migrate.current(url) is None
    server.stop()


def test_redis_forgets_in_a_crash() -> None:
    server = RedisServer()
    with Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.kill()
        server.start()
        assert client.get("key") is None
    server.stop()


def test_a_server_ends_with_a_process_that_is_killed() -> None:
    script = """
import os, signal
from tests.support.servers import RedisServer
server = RedisServer()
print(server.home, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    # The supervisor and the server hold none of the pipes: reading ends when the killed process is gone.
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        home = process.stdout.readline().strip()
    waited = subprocess.run(["timeout", "10", "sh", "-c", f"while [ -e {home} ]; do sleep 0.01; done"], check=False)
    assert waited.returncode == 0
