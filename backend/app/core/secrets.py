"""The master key, the keys derived from it, and secrets at rest."""

import base64
import binascii
import hashlib
import os
import secrets
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.app.core.settings import Settings, SettingsError

MIN_KEY_LENGTH: Final = 32
_KEY_FILE: Final = "secret.key"
_FORMAT: Final = "v1"
_NONCE_BYTES: Final = 12


class SealBroken(Exception):
    """A sealed value was sealed with another key, for another place, or was changed."""


def secret_key(settings: Settings) -> bytes:
    """The master key of the installation: `auth.secret_key`, or in the embedded mode the content of `secret.key` in
    `storage.data_dir`, which is made (mode 0600) by whoever needs it first.

    Raises `SettingsError` when the key is missing in production, is shorter than 32 characters, or cannot be kept.
    """
    configured = settings.auth.secret_key
    if configured is None:
        if not settings.embedded:
            raise SettingsError(
                "auth.secret_key: needed in production; set TOUCHSTONE_AUTH__SECRET_KEY to 32 or more random characters"
            )
        return _kept_key(settings.storage.data_dir / _KEY_FILE)
    key = configured.get_secret_value()
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(f"auth.secret_key: has {len(key)} characters, needs {MIN_KEY_LENGTH} or more")
    return key.encode()


@lru_cache(maxsize=8)
def _kept_key(path: Path) -> bytes:
    try:
        if not path.exists():
            _create(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"storage.data_dir: the secret key cannot be kept in {path}: {error.strerror}") from None
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(f"{path}: holds {len(key)} characters, needs {MIN_KEY_LENGTH} or more")
    return key


def _create(path: Path) -> None:
    """The file appears whole or not at all, and the first of several processes wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(descriptor)
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


@lru_cache(maxsize=64)
def derive(key: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256, RFC 5869): what leaks from one use says nothing about another."""
    return HKDF(SHA256(), 32, salt=None, info=f"touchstone/{purpose}".encode()).derive(key)


class Sealer:
    """AES-256-GCM (NIST SP 800-38D) for secrets in the database.

    The place of a secret (`projects/<id>/auth_config`) is its associated data: a value that was moved to another row
    does not open. A sealed value reads `v1.<key id>.<nonce, ciphertext and tag in base64url>`.
    """

    def __init__(self, key: bytes) -> None:
        """`key`: the master key; the key that seals is derived from it."""
        derived = derive(key, "seal")
        self._cipher = AESGCM(derived)
        self._prefix = f"{_FORMAT}.{hashlib.sha256(derived).hexdigest()[:8]}."

    def seal(self, plaintext: bytes, context: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, plaintext, context.encode())
        return self._prefix + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, context: str) -> bytes:
        """Raises `SealBroken`."""
        if not sealed.startswith(self._prefix):
            raise SealBroken(f"{context} was sealed with another key")
        try:
            raw = base64.urlsafe_b64decode(sealed.removeprefix(self._prefix))
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise SealBroken(f"{context} was changed, or sealed for another place") from None
