"""What `touchstone login` leaves behind: the address of a server, and the tokens or the API key that open it.

Only its owner can read the file (mode 0600 in a folder of 0700), and it is replaced as a whole. Whoever exchanges the
refresh token, which works once, holds the lock from reading the file to writing it.
"""

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FILE = "login.json"
LOCK = "login.lock"


class UnusableFile(Exception):
    """The file cannot be read or written; the message says why, and what to do."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True)


class Tokens(_Stored):
    access_token: str = Field(repr=False)
    refresh_token: str = Field(repr=False)


class ApiKey(_Stored):
    api_key: str = Field(repr=False)


class SignIn(_Stored):
    server: str
    """Scheme, host and what stands before `/api/v1`, without a slash at its end."""
    email: str | None
    """None for an API key that may not read whose it is."""
    credential: Tokens | ApiKey


def config_dir() -> Path:
    """`touchstone` in `$XDG_CONFIG_HOME`, or in `~/.config` where that is not an absolute path (XDG Base Directory
    Specification)."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".config") / "touchstone"


class SignInFile:
    """All methods raise `UnusableFile`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or config_dir()
        self.path = self._folder / FILE

    def read(self) -> SignIn | None:
        """None when nobody is signed in."""
        with self._faults("read"):
            try:
                with self.path.open("rb") as file:
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    content = file.read()
            except FileNotFoundError:
                return None
            if mode & 0o077:
                raise UnusableFile(
                    f"{self.path} has mode {mode:04o}, so others may have read the secrets in it: sign in again with "
                    f"`touchstone login`, or `chmod 600 {self.path}` if nobody has"
                )
            if self._folder.stat().st_mode & 0o022:
                raise UnusableFile(f"{self._folder} can be changed by others: `chmod 700 {self._folder}`")
        try:
            return SignIn.model_validate_json(content)
        except ValidationError:
            raise UnusableFile(f"{self.path} is damaged: sign in again with `touchstone login`") from None

    def write(self, sign_in: SignIn) -> None:
        """Call it with the lock."""
        with self._faults("written"):
            descriptor, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=self._folder)  # mode 0600
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(sign_in.model_dump_json(indent=2) + "\n")
                    file.flush()
                    os.fsync(descriptor)
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink()
                raise

    def remove(self) -> None:
        """Call it with the lock."""
        with self._faults("removed"):
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Waits for other commands; what they wrote meanwhile is there to be read."""
        with self._faults("written"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            lock = (self._folder / LOCK).open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _faults(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnusableFile(f"{self.path} cannot be {done}: {error.strerror or error}") from None
