"""The master key and secrets at rest."""

import base64
import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core import secrets
from backend.app.core.secrets import PREFIX_LENGTH, SealBroken, Sealer, derive, secret_key, secret_keys
from backend.app.core.secrets import sealer as sealer_of
from backend.app.core.settings import AuthSettings, Settings, SettingsError, StorageSettings

KEY = b"k" * 32
sealer = Sealer(KEY)


def settings(path: Path, **fields: Any) -> Settings:
    return Settings(storage=StorageSettings(data_dir=path / "data"), **fields)


def test_the_embedded_mode_makes_a_key_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = secret_key(settings(tmp_path))
    secrets._kept_key.cache_clear()
    assert secret_key(settings(tmp_path)) == first
    assert len(first) >= 32
    files = list((tmp_path / "data").iterdir())
    assert [file.name for file in files] == ["secret.key"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    def ask(_: int) -> bytes:
        return secrets._kept_key.__wrapped__(tmp_path / "data" / "secret.key")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(32)))) == 1


def test_a_configured_key_is_taken_as_it_is(tmp_path: Path) -> None:
    assert secret_key(settings(tmp_path, auth=AuthSettings(secret_key="x" * 32))) == b"x" * 32
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "production"}, "needed in production"),
        ({"mode": "production", "auth": AuthSettings(secret_key="x" * 31)}, "has 31 characters"),
        ({"auth": AuthSettings(secret_key="short")}, "has 5 characters"),
    ],
)
def test_a_missing_or_short_key_is_refused_in_one_line(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=rf"^auth\.secret_key: .*{words}.*$") as refused:
        secret_key(settings(tmp_path, **fields))
    assert "short" not in str(refused.value).replace("shorter", "")


@pytest.mark.parametrize(
    "key",
    [
        "changeme-changeme-changeme-changeme",
        "Change_Me! 8c1f0b6e5d3a4297f1e0c9d8b7a6",
        "my-super-secret-key-0123456789-xyz",
        "PASSWORD1234567890qwertzuiop-yxcvbnm",
        "x" * 64,
        "0123456789abcdef" * 2,
        "12345678901234567890123456789012",
        "abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)
def test_production_takes_no_key_that_anybody_can_guess(tmp_path: Path, key: str) -> None:
    auth = AuthSettings(secret_key=key)
    assert secret_key(settings(tmp_path, auth=auth)) == key.encode()
    with pytest.raises(SettingsError, match=r"^auth\.secret_key: is a placeholder or a pattern") as refused:
        secret_key(settings(tmp_path, mode="production", auth=auth))
    assert key not in str(refused.value)


@given(st.binary(min_size=24, max_size=24))
def test_production_takes_random_keys(raw: bytes) -> None:
    if len(set(raw)) > 12:
        key = base64.b64encode(hashlib.sha256(raw).digest()).decode()
        assert secret_key(Settings(mode="production", auth=AuthSettings(secret_key=key)))


def test_a_former_key_is_held_to_the_same_rules(tmp_path: Path) -> None:
    auth = AuthSettings(secret_key="x" * 32, previous_keys=("y" * 32, "short"))
    with pytest.raises(SettingsError, match=r"^auth\.previous_keys\.1: has 5 characters"):
        secret_keys(settings(tmp_path, auth=auth))


def test_every_key_opens_and_the_newest_seals(tmp_path: Path) -> None:
    auth = AuthSettings(secret_key="n" * 32, previous_keys=("o" * 32, "p" * 32))
    rotating = sealer_of(settings(tmp_path, auth=auth))
    for former in (b"n", b"o", b"p"):
        assert rotating.open(Sealer(former * 32).seal(b"token", "a/1"), "a/1") == b"token"
    sealed = rotating.seal(b"token", "a/1")
    assert Sealer(b"n" * 32).open(sealed, "a/1") == b"token"
    assert sealed.startswith(rotating.newest_prefix)
    assert len(rotating.newest_prefix) == PREFIX_LENGTH


def test_a_damaged_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text("x")
    with pytest.raises(SettingsError, match=r"secret\.key: holds 1 characters"):
        secret_key(settings(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match=r"^storage\.data_dir"):
        secret_key(settings(tmp_path))


@given(st.binary(), st.text())
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, context: str) -> None:
    assert sealer.open(sealer.seal(plaintext, context), context) == plaintext


@given(st.binary(min_size=1), st.data())
def test_a_changed_value_does_not_open(plaintext: bytes, data: st.DataObject) -> None:
    sealed = sealer.seal(plaintext, "a/1")
    position = data.draw(st.integers(0, len(sealed) - 5))  # the last characters hold spare bits and padding
    other = data.draw(st.sampled_from("Aa0-").filter(lambda character: character != sealed[position]))
    with pytest.raises(SealBroken):
        sealer.open(sealed[:position] + other + sealed[position + 1 :], "a/1")


def test_a_value_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(SealBroken, match="a/2"):
        sealer.open(sealer.seal(b"token", "a/1"), "a/2")


def test_another_key_is_told_apart() -> None:
    with pytest.raises(SealBroken, match="another key"):
        Sealer(b"z" * 32).open(sealer.seal(b"token", "a/1"), "a/1")


def test_equal_secrets_look_different() -> None:
    assert sealer.seal(b"token", "a/1") != sealer.seal(b"token", "a/1")


def test_a_key_for_one_purpose_says_nothing_about_another() -> None:
    assert derive(KEY, "seal") == derive(KEY, "seal")
    assert len({KEY, derive(KEY, "seal"), derive(KEY, "access-token"), derive(b"z" * 32, "seal")}) == 4
