"""The master keys, the keys derived from them, and secrets at rest."""

import base64
import binascii
import hashlib
import itertools
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

from backend.app.core.redaction import remember_opened
from backend.app.core.settings import Settings, SettingsError

MIN_KEY_LENGTH: Final = 32
_KEY_FILE: Final = "secret.key"
_FORMAT: Final = "v1"
PREFIX_LENGTH: Final = 12
"""Characters of a sealed value that say with which key it was sealed."""
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
    return _checked("auth.secret_key", configured.get_secret_value(), settings)


def secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """The master key, and those of `auth.previous_keys`, newest first. Raises `SettingsError`."""
    former = [
        _checked(f"auth.previous_keys.{number}", key.get_secret_value(), settings)
        for number, key in enumerate(settings.auth.previous_keys)
    ]
    return (secret_key(settings), *former)


_PLACEHOLDERS: Final = ("changeme", "default", "example", "insecure", "password", "placeholder", "replaceme", "secret")
_MIN_CHARACTERS: Final = 8
"""Different ones: 32 random digits, even hexadecimal, practically never have fewer."""


def _checked(name: str, key: str, settings: Settings) -> bytes:
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(f"{name}: has {len(key)} characters, needs {MIN_KEY_LENGTH} or more")
    if not settings.embedded and _is_guessable(key):
        raise SettingsError(f"{name}: is a placeholder or a pattern; make one with: openssl rand -base64 48")
    return key.encode()


@lru_cache(maxsize=16)
def _is_guessable(key: str) -> bool:
    """Whether it holds a word of the keys that documentation and templates show, or repeats itself (ASVS 5, 13.3.1)."""
    letters = "".join(filter(str.isalnum, key.casefold()))
    periods = range(1, len(key) // 2 + 1)
    return (
        any(word in letters for word in _PLACEHOLDERS)
        or len(set(key)) < _MIN_CHARACTERS
        or any(key[period:] == key[:-period] for period in periods)
        or all(ord(after) - ord(before) == 1 for before, after in itertools.pairwise(key[:10]))
    )


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
    """AES-256-GCM (NIST SP 800-38D) for secrets in the database: seals with the newest key, opens with every one.

    The place of a secret (`projects/<id>/auth_config`) is its associated data: a value that was moved to another row
    does not open. A sealed value reads `v1.<key id>.<nonce, ciphertext and tag in base64url>`.
    """

    def __init__(self, newest: bytes, *former: bytes) -> None:
        """The master keys; those that seal are derived from them."""
        self._ciphers = {_prefix_of(key): AESGCM(derive(key, "seal")) for key in (newest, *former)}
        self.newest_prefix = _prefix_of(newest)
        """What every value begins with that needs no older key."""

    def seal(self, plaintext: bytes, context: str) -> str:
        remember_opened(plaintext)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[self.newest_prefix].encrypt(nonce, plaintext, context.encode())
        return self.newest_prefix + base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, context: str) -> bytes:
        """Raises `SealBroken`."""
        cipher = self._ciphers.get(sealed[:PREFIX_LENGTH])
        if cipher is None:
            raise SealBroken(f"{context} was sealed with another key")
        try:
            raw = base64.urlsafe_b64decode(sealed[PREFIX_LENGTH:])
            plaintext = cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError, binascii.Error):
            raise SealBroken(f"{context} was changed, or sealed for another place") from None
        remember_opened(plaintext)
        return plaintext

    def knows(self, prefix: str) -> bool:
        """Whether one of the keys sealed the values that begin so."""
        return prefix in self._ciphers


@lru_cache(maxsize=64)
def _prefix_of(key: bytes) -> str:
    return f"{_FORMAT}.{hashlib.sha256(derive(key, 'seal')).hexdigest()[:8]}."


def sealer(settings: Settings) -> Sealer:
    """With every key of the settings. Raises `SettingsError`."""
    return Sealer(*secret_keys(settings))
