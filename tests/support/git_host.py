"""A host of git repositories over HTTPS on loopback: git's own `http-backend` behind a small server, with repositories
that tests build, and ways to misbehave."""

import base64
import contextlib
import functools
import os
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import trustme

NAME = "git.example"
"""What the certificate says besides 127.0.0.1; no resolver knows it."""
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]


@dataclass
class GitHost:
    """`accounts` are the passwords by user name that are let in; everybody is, while there is none."""

    folder: Path
    accounts: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[Call], Answer | None] = lambda call: None
    """Asked before anything else."""
    on_pack: Callable[[], None] = lambda: None
    """Called while git waits for a pack."""
    stall: threading.Event | None = None
    """While it is there, a pack begins and does not go on before it is set."""
    flood: bool = False
    """A pack begins, and never ends."""
    url: str = ""

    def repository(self, name: str = "shop.git") -> "Repository":
        path = self.folder / name
        git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
        for setting in ("uploadpack.allowFilter", "http.uploadpack"):
            git(f"--git-dir={path}", "config", setting, "true")
        return Repository(path, f"{self.url}/{name}")


@dataclass(frozen=True)
class Repository:
    path: Path
    url: str

    def git(self, *arguments: str, data: bytes = b"") -> str:
        return git(f"--git-dir={self.path}", *arguments, data=data)

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", data=data)

    def tree(self, entries: Iterable[tuple[str, bytes, str]]) -> str:
        """Mode, name and object id, with nothing checked."""
        in_order = sorted(entries, key=lambda entry: entry[1] + b"/" * (entry[0] == "40000"))
        data = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in in_order)
        return self.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=data)

    def commit(self, tree: str, branch: str = "main") -> str:
        people = "Ada <ada@example.com> 1790000000 +0000"
        text = f"tree {tree}\nauthor {people}\ncommitter {people}\n\nOne\n"
        commit = self.git("hash-object", "-t", "commit", "-w", "--stdin", data=text.encode())
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def files(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """A commit of files by their paths."""
        people = "Ada <ada@example.com> 1790000000 +0000"
        parts = [f"commit refs/heads/{branch}\ncommitter {people}\ndata 3\nOne\n".encode()]
        for path, data in files.items():
            parts.append(b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(data), data))
        self.git("fast-import", "--quiet", "--force", data=b"".join(parts))
        return self.git("rev-parse", f"refs/heads/{branch}")


def git(*arguments: str, data: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], input=data, env=_ENVIRONMENT, capture_output=True, check=True)
    return done.stdout.decode().strip()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: GitHost

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        call = Call(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.host.calls.append(call)
        status, headers, answer = self.host.answer(call) or self._repository(call)
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        is_pack = call.path.endswith("/git-upload-pack") and b"packfile" in answer
        if not (is_pack and self.host.flood):
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if is_pack:
            self.host.on_pack()
            if self.host.stall is not None:
                self.wfile.write(answer[: len(answer) // 2])
                self.host.stall.wait(60)
                self.close_connection = True
                return
            if self.host.flood:
                self._flood(answer)
                return
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    def _flood(self, answer: bytes) -> None:
        """The head of a pack with a blob that is said to be huge, then noise in its side band until git goes away."""
        begin = answer.index(b"PACK") - 5
        self.close_connection = True
        head = b"PACK\0\0\0\2\0\0\0\1" + b"\xb0\x80\x80\x80\x80\x80\x01" + b"\x78\x01"
        self.wfile.write(answer[:begin] + _side_band(head))
        stored = b"\x00\xff\xff\x00\x00" + os.urandom(65535)
        while True:
            for start in range(0, len(stored), 60_000):
                self.wfile.write(_side_band(stored[start : start + 60_000]))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _repository(self, call: Call) -> Answer:
        accounts, given = self.host.accounts, call.headers.get("authorization", "")
        allowed = {"Basic " + base64.b64encode(f"{user}:{word}".encode()).decode() for user, word in accounts.items()}
        if accounts and given not in allowed:
            return 401, {"WWW-Authenticate": 'Basic realm="git"'}, b""
        where = urlsplit(call.path)
        environment = {
            **_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.host.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": where.path,
            "QUERY_STRING": where.query,
            "REQUEST_METHOD": call.method,
            "CONTENT_TYPE": call.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": call.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": call.headers.get("git-protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=call.body, env=environment, capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        return int(headers.pop("Status", "200").split()[0]), headers, body

    def log_message(self, *args: Any) -> None: ...


def _side_band(data: bytes) -> bytes:
    return b"%04x\x01%b" % (len(data) + 5, data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        plain.settimeout(20)
        return _context().wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what the tests are about."""

    def shutdown_request(self, request: Any) -> None:
        with contextlib.suppress(OSError):
            request.close()


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@functools.cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("127.0.0.1", NAME, key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context


def write_authority(path: Path) -> None:
    """The certificate that `SSL_CERT_FILE` has to name for the hosts to be trusted."""
    _authority().cert_pem.write_to_path(str(path))


@contextlib.contextmanager
def serving() -> Iterator[GitHost]:
    with tempfile.TemporaryDirectory(prefix="touchstone-host-") as folder:
        host = GitHost(Path(folder))
        server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": host}))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        host.url = f"https://127.0.0.1:{server.server_port}"
        try:
            yield host
        finally:
            if host.stall is not None:
                host.stall.set()
            server.shutdown()
            server.server_close()
            thread.join()
