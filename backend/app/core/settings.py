"""Settings in frozen groups. Sources, first wins: environment (`TOUCHSTONE_DATABASE__URL`), `.env`, `touchstone.toml`.

No module reads the environment: it gets a `Settings` through its context. An unknown key is an error that names the
nearest known one.
"""

import difflib
import os
from ipaddress import ip_network
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal, Self, TypeAlias

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

PREFIX = "TOUCHSTONE_"
CONFIG_FILE = "touchstone.toml"
ENV_FILE = ".env"
CLIENT_VARIABLES = frozenset({"TOUCHSTONE_API_KEY", "TOUCHSTONE_SERVER"})
"""Of the commands that talk to a server: a shell may hold them beside the settings."""


class SettingsError(Exception):
    """The configuration cannot be used; the message says which key and what to write instead."""


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _network(text: str) -> str:
    ip_network(text, strict=False)
    return text


class DatabaseSettings(Group):
    url: str = "sqlite+aiosqlite:///touchstone.db"
    """`sqlite+aiosqlite:///file.db` or `postgresql+asyncpg://user:password@host/name`."""
    role: str | None = Field(None, pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    """PostgreSQL: the role that the application's connections take on. Needed where row-level security does not bind
    the user, a superuser or one with BYPASSRLS; `touchstone migrate` makes the role when it is missing."""
    pool_size: int = Field(10, ge=1)
    """Connections that one process keeps for writing, and as many for reading."""
    busy_timeout_s: float = Field(5.0, gt=0)
    """SQLite: how long a writer waits for the lock."""
    auto_migrate: bool | None = None
    """Migrate at start. Default: yes in the embedded mode, no in production."""


class RedisSettings(Group):
    url: str | None = None
    """`redis://host:6379/0`. Without it jobs run inside the API process."""
    timeout_s: float = Field(0.25, gt=0)
    """How long a request waits for Redis before it goes on without."""


class AuthSettings(Group):
    secret_key: SecretStr | None = None
    """Signs tokens and seals target credentials; 32 characters or more. The embedded mode makes one in `data_dir`."""
    previous_keys: tuple[SecretStr, ...] = ()
    """Former secret keys, newest first: what they signed and sealed is still read until it is rotated or expires."""
    verify_email: bool = False
    """Whether a new user has to open a link in a mail before the first sign-in. Without it the first sign-in tells who
    signed up whether the address had an account already."""
    access_token_minutes: int = Field(24 * 60, ge=1)
    refresh_token_days: int = Field(30, ge=1)
    issuer: str = "touchstone"
    """`iss` of the access tokens."""


class OidcProvider(Group):
    """An OpenID Connect provider, known by discovery (OpenID Connect Discovery 1.0)."""

    issuer: str
    client_id: str
    client_secret: SecretStr
    label: str = ""
    """Shown on the button that leads there."""
    trusted_domains: tuple[str, ...] = ()
    """Mail domains of which the provider may link an existing account, given that it says the address is verified;
    `*` for all."""


ProviderName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class SsoSettings(Group):
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    google_client_id: str | None = None
    google_client_secret: SecretStr | None = None
    oidc: dict[ProviderName, OidcProvider] = {}
    """By the name in the path: `{"corp": {"issuer": ..., "client_id": ..., "client_secret": ...}}`."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in ("github", "google"):
            missing = [key for key in (f"{name}_client_id", f"{name}_client_secret") if getattr(self, key) is None]
            if len(missing) == 1:
                raise ValueError(f"{missing[0]} is missing")
            if name in self.oidc:
                raise ValueError(f"oidc: the name {name} is taken")
        return self


class MailSettings(Group):
    host: str | None = None
    """SMTP server. Without one, mail is written to the folder `mail` in `storage.data_dir`."""
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = "Touchstone <touchstone@localhost>"
    timeout_s: float = Field(20.0, gt=0)


_ONE_RATE = r"\s*[1-9][0-9]{0,9}\s*(/|per)\s*([1-9][0-9]{0,3}\s*)?(second|minute|hour|day)s?\s*"
Rate: TypeAlias = Annotated[str, Field(pattern=rf"^{_ONE_RATE}(;{_ONE_RATE})*$")]


class RateSettings(Group):
    """Requests that are answered: `20/minute`, several separated by `;`."""

    enabled: bool = True
    public: Rate = "60/minute"
    """For one address, of the routes that need no credentials; counted apart, as many with credentials that open
    nothing."""
    sign_in: Rate = "20/minute"
    """For one address, of the routes that check or send a secret."""
    signed_in: Rate = "1200/minute"
    """For one user or API key."""


class HttpSettings(Group):
    """Outgoing requests."""

    allow_private: bool | None = None
    """Whether loopback and private addresses may be called. Default: yes in the embedded mode, no in production."""
    allow: tuple[str, ...] = ()
    """Exceptions for production: `10.1.0.0/16` or `10.1.2.3/32:8080`."""
    deadline_s: float = Field(10.0, gt=0)
    """For one request as a whole, redirects included."""
    max_body_bytes: int = Field(10 * 1024 * 1024, ge=1024)
    """Of an answer, decoded."""
    discovery_rate: float = Field(10.0, ge=0)
    """Requests a second that discovery sends to one host; 0: as many as it answers. This machine is always asked as
    fast as it answers."""


class JobSettings(Group):
    lease_s: float = Field(30.0, gt=0)
    """A job whose worker is silent for so long goes to another one."""
    heartbeat_s: float = Field(10.0, gt=0)
    """How often a worker extends the leases of its jobs."""
    sweep_s: float = Field(5.0, gt=0)
    """How often each worker looks for due jobs that nobody was told of."""
    poll_s: float = Field(1.0, gt=0)
    """How often a process without Redis looks for due jobs."""
    batch_size: int = Field(20, ge=1, le=500)
    """Short jobs that are claimed together."""
    concurrency: int = Field(4, ge=1)
    """Jobs that one process performs at the same time."""
    shutdown_s: float = Field(20.0, gt=0)
    """After SIGTERM: jobs that have not ended by then are handed back."""
    max_lost_leases: int = Field(3, ge=1)
    """A job whose worker died this often is dead."""
    in_process: bool | None = None
    """Perform jobs inside the API process. Default: yes without Redis."""

    @model_validator(mode="after")
    def _beats_within_the_lease(self) -> Self:
        if self.heartbeat_s >= self.lease_s:
            raise ValueError("heartbeat_s must be less than lease_s: every job would be lost while it runs")
        return self


class AnomalySettings(Group):
    sensitivity: Literal["low", "medium", "high"] = "medium"
    """How readily a scan is called anomalous: one false alarm in some 1,000 (`low`), 100 to 1,000 (`medium`) or 30 to
    100 (`high`) values of a noisy series."""


class StorageSettings(Group):
    data_dir: Path = Path(".touchstone")
    """Generated keys and files of the embedded mode."""
    max_upload_bytes: int = Field(256 * 1024 * 1024, ge=1024)
    """Of a file that is handed in for discovery."""


class LoggingSettings(Group):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    slow_request_s: float = Field(2.0, gt=0)
    """Requests that take longer are logged as warnings."""


class WebSettings(Group):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    docs: bool | None = None
    """Serve Swagger UI. Default: yes in the embedded mode, no in production."""
    max_body_bytes: int = Field(12 * 1024 * 1024, ge=1024)
    """Of a request."""
    idempotency_hours: float = Field(24.0, gt=0)
    """How long the answer to a request with an `Idempotency-Key` is kept."""
    metrics: bool = True
    """Serve `/metrics`."""
    public_url: str | None = None
    """Where browsers reach this installation, for links in mail and for single sign-on: `https://touchstone.example`.
    Default: `http://host:port`."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API: `["https://app.example"]`. `["*"]` allows all, without credentials."""
    max_json_depth: int = Field(64, ge=5, le=64)
    """How deep the JSON of a request may be nested."""
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Addresses or networks of reverse proxies whose `X-Forwarded-For` is believed: `["10.0.0.0/8"]`."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=ENV_FILE,
        dotenv_filtering="only_existing",
        toml_file=CONFIG_FILE,
        frozen=True,
        extra="forbid",
    )

    mode: Literal["embedded", "production"] = "embedded"
    """`production` refuses private targets, generated keys and unmigrated databases."""
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    auth: AuthSettings = AuthSettings()
    sso: SsoSettings = SsoSettings()
    mail: MailSettings = MailSettings()
    rates: RateSettings = RateSettings()
    http: HttpSettings = HttpSettings()
    jobs: JobSettings = JobSettings()
    anomalies: AnomalySettings = AnomalySettings()
    storage: StorageSettings = StorageSettings()
    logging: LoggingSettings = LoggingSettings()
    web: WebSettings = WebSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def embedded(self) -> bool:
        return self.mode == "embedded"

    @property
    def auto_migrate(self) -> bool:
        return self.embedded if self.database.auto_migrate is None else self.database.auto_migrate

    @property
    def allow_private_targets(self) -> bool:
        return self.embedded if self.http.allow_private is None else self.http.allow_private

    @property
    def jobs_in_process(self) -> bool:
        return self.redis.url is None if self.jobs.in_process is None else self.jobs.in_process

    @property
    def public_url(self) -> str:
        """Where browsers reach this installation, without a slash at its end."""
        host = f"[{self.web.host}]" if ":" in self.web.host else self.web.host
        return (self.web.public_url or f"http://{host}:{self.web.port}").rstrip("/")

    @property
    def serve_docs(self) -> bool:
        return self.embedded if self.web.docs is None else self.web.docs


def load_settings(**overrides: Any) -> Settings:
    """Reads all sources. Raises `SettingsError` with one line for each fault."""
    lines = _unknown_variables()
    if lines:
        raise SettingsError("\n".join(lines))
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [_describe(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
        raise SettingsError("\n".join(lines)) from None
    except TOMLDecodeError as error:
        raise SettingsError(f"{CONFIG_FILE}: {error}") from None
    except SourceError as error:
        raise SettingsError(f'{error}; lists and groups are written as JSON: ["10.1.0.0/16"]') from None
    except (ValueError, OSError) as error:
        raise SettingsError(str(error)) from None


def known_keys() -> list[str]:
    """Every key in dotted form: `database.url`."""
    keys = []
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, Group):
            keys += [f"{name}.{key}" for key in group.model_fields]
        else:
            keys.append(name)
    return keys


def _unknown_variables() -> list[str]:
    """pydantic-settings passes over unknown variables; a typing error there must not be silent. A `.env` may hold
    variables of other programs."""
    known = {PREFIX + key.replace(".", "__").upper() for key in known_keys()}
    known |= {PREFIX + name.upper() for name in Settings.model_fields} | CLIENT_VARIABLES
    sources = [(name, "") for name in os.environ] + [(name, f" in {ENV_FILE}") for name in dotenv_values(ENV_FILE)]
    return [
        f"{name}: unknown setting{source}{_suggest(name.upper(), known)}"
        for name, source in sorted(sources)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]


def _describe(location: tuple[int | str, ...], kind: str, message: str) -> str:
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{key}: unknown setting{_suggest(key, {*known_keys(), *Settings.model_fields})}"
    return f"{key}: {message}"


def _suggest(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f", did you mean {nearest[0]}?" if nearest else ""
