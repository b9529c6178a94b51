"""Facts of files by their content, and the report of a whole tree, kept between scans in one file."""

import hashlib
import os
import tempfile
from pathlib import Path

_HEADER = b"touchstone source facts 1\n"


class FactsCache:
    """Lines of `<key> <JSON object>`; a key has no spaces. A file that is missing, damaged or of another version is an
    empty cache. What a scan does not ask for is dropped when it is saved."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stored: dict[bytes, bytes] = {}
        self._used: dict[bytes, bytes] = {}
        if path is not None:
            self._stored = _load(path)

    def get(self, key: bytes) -> bytes | None:
        facts = self._stored.get(key)
        if facts is not None:
            self._used[key] = facts
        return facts

    def keep_all(self) -> None:
        """Everything is still of use."""
        self._used = {**self._stored, **self._used}

    def put(self, key: bytes, facts: bytes) -> None:
        if self.path is not None:
            self._used[key] = facts

    def save(self) -> None:
        """Raises `OSError`. Another process that reads the file meanwhile sees the former or the latter whole."""
        if self.path is None or self._used.keys() == self._stored.keys():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_HEADER)
                file.writelines(b"%s %s\n" % pair for pair in self._used.items())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=20).hexdigest()


def _load(path: Path) -> dict[bytes, bytes]:
    stored = {}
    try:
        with path.open("rb") as file:
            if file.readline() != _HEADER:
                return {}
            for line in file:
                digest, space, facts = line.partition(b" ")
                if space and facts.startswith(b"{") and facts.endswith(b"}\n"):
                    stored[digest] = facts[:-1]
    except OSError:
        return {}
    return stored
