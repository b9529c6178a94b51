"""The master key and secrets at rest."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core import secrets
from backend.app.core.secrets import SealBroken, Sealer, derive, secret_key
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
