"""Settings: where they come from, which source wins, and what a typing error is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.app.core.settings import Settings, SettingsError, WebSettings, known_keys, load_settings

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return write


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_the_defaults_need_no_source(write: Write) -> None:
    settings = load_settings()
    assert settings.embedded
    assert settings.database.url.startswith("sqlite")
    assert settings.jobs_in_process
    assert settings.allow_private_targets


def test_production_is_strict_by_default(write: Write) -> None:
    settings = load_settings(mode="production")
    assert not settings.allow_private_targets
    assert not settings.auto_migrate
    assert not settings.serve_docs


def test_environment_before_dotenv_before_toml(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("touchstone.toml", "[web]\nport = 1\nhost = 'toml'\n[logging]\nlevel = 'error'\n")
    write(".env", "TOUCHSTONE_WEB__PORT=2\nTOUCHSTONE_WEB__HOST=dotenv\n")
    monkeypatch.setenv("TOUCHSTONE_WEB__PORT", "3")
    settings = load_settings()
    assert (settings.web.port, settings.web.host, settings.logging.level) == (3, "dotenv", "error")
    assert load_settings(web={"port": 4}).web.port == 4


def test_other_programs_may_use_the_same_dotenv(write: Write) -> None:
    write(".env", "POSTGRES_PASSWORD=x\nTOUCHSTONE_WEB__PORT=81\n")
    assert load_settings().web.port == 81


def test_names_of_variables_ignore_case(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("touchstone_web__port", "82")
    assert load_settings().web.port == 82


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("TOUCHSTONE_DATABASE__ULR", "TOUCHSTONE_DATABASE__URL"),
        ("TOUCHSTONE_DATABSE__URL", "TOUCHSTONE_DATABASE__URL"),
        ("TOUCHSTONE_DATABASE_URL", "TOUCHSTONE_DATABASE__URL"),
        ("TOUCHSTONE_MODEE", "TOUCHSTONE_MODE"),
    ],
)
def test_an_unknown_variable_names_the_nearest(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str, suggestion: str
) -> None:
    write(".env", f"{name}=x\n")
    assert refusal() == f"{name}: unknown setting in .env, did you mean {suggestion}?"
    write(".env", "\n")
    monkeypatch.setenv(name, "x")
    assert refusal() == f"{name}: unknown setting, did you mean {suggestion}?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[database]\nulr = 'x'", "database.ulr: unknown setting, did you mean database.url?"),
        ("[databse]\nurl = 'x'", "databse: unknown setting, did you mean database?"),
        ("mdoe = 'production'", "mdoe: unknown setting, did you mean mode?"),
        (
            "[web]\ntrusted_proxies = ['x']",
            "web.trusted_proxies.0: Value error, 'x' does not appear to be an IPv4 or IPv6 network",
        ),
        ("[web]\nport = 70000", "web.port: Input should be less than or equal to 65535"),
    ],
)
def test_a_fault_in_the_file_names_the_key(write: Write, text: str, said: str) -> None:
    write("touchstone.toml", text)
    assert refusal() == said


def test_a_broken_file_names_the_file_and_the_line(write: Write) -> None:
    write("touchstone.toml", "[web]\nport = = 1")
    assert refusal().startswith("touchstone.toml: ")
    assert "line 2" in refusal()


def test_every_fault_gets_a_line(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_WEB__PORT", "many")
    monkeypatch.setenv("TOUCHSTONE_JOBS__LEASE_S", "-1")
    assert sorted(line.partition(":")[0] for line in refusal().splitlines()) == ["jobs.lease_s", "web.port"]


def test_a_list_in_a_variable_is_json(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_HTTP__ALLOW", '["10.1.0.0/16"]')
    assert load_settings().http.allow == ("10.1.0.0/16",)
    monkeypatch.setenv("TOUCHSTONE_HTTP__ALLOW", "10.1.0.0/16")
    assert "JSON" in refusal()


def test_settings_cannot_change_and_do_not_print_secrets(write: Write) -> None:
    settings = load_settings(auth={"secret_key": "hush hush"})
    with pytest.raises(ValueError, match="frozen"):
        settings.mode = "production"  # type: ignore[misc]
    assert "hush" not in repr(settings)


def test_every_key_is_known_by_its_dotted_name() -> None:
    keys = known_keys()
    assert {"mode", "database.url", "jobs.lease_s"} <= set(keys)
    assert len(keys) == len(set(keys))
    assert set(Settings.model_fields) == {key.partition(".")[0] for key in keys}


def test_a_heartbeat_comes_within_the_lease(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHSTONE_JOBS__LEASE_S", "10")
    assert refusal().startswith("jobs: ")
    assert "heartbeat_s" in refusal()
    monkeypatch.setenv("TOUCHSTONE_JOBS__HEARTBEAT_S", "3")
    assert load_settings().jobs.lease_s == 10


@pytest.mark.parametrize(
    ("web", "url"),
    [
        (WebSettings(), "http://127.0.0.1:8000"),
        (WebSettings(host="::1", port=80), "http://[::1]:80"),
        (WebSettings(public_url="https://touchstone.example/"), "https://touchstone.example"),
    ],
)
def test_the_public_address_is_that_of_the_server_unless_it_is_set(web: WebSettings, url: str) -> None:
    assert Settings(web=web).public_url == url
