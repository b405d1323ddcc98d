"""Settings: read once where a process is composed, and refused readably when they do not fit.

A setting comes from, first found first taken: what the command line gave, the environment
(`ANNALS_<NAME>`), a `.env` file, an `annals.toml` file, the default. Files are looked for in the
working directory.
"""

import base64
import json
import os
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream
from pydantic import (
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.chassis.settingtypes import (
    SERVICE,
    Address,
    Addresses,
    BrokerUrl,
    CollectorUrl,
    DatabaseUrl,
    Key,
    Keys,
    Port,
    TimeZone,
    did_you_mean,
    keys_of,
)

__all__ = ["PREFIX", "EdgeSettings", "Mode", "Settings", "SettingsError", "read_settings"]

PREFIX = "ANNALS_"
_TEST_PREFIX = "ANNALS_TEST_"
_KEY_BYTES = 32
_SECRET_LENGTH = 32
_KEYS_PLACE = r"^(https://|http://(localhost|127\.0\.0\.1)[:/])"


class Mode(StrEnum):
    """How Annals is run."""

    EMBEDDED = "embedded"
    """Everything on this machine, on SQLite files, with development identities allowed."""
    PRODUCTION = "production"
    """Deployed services: secrets must be given and nobody acts without a token."""


class SettingsError(Exception):
    """Settings that do not fit; the message names each with its source and what is wrong.

    Args:
        problems: one sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """What an installation can choose."""

    needed_in_production: ClassVar[tuple[str, ...]] = (
        "key_encryption_key",
        "database_url",
        "broker_url",
        "token_issuer",
        "token_keys_url",
    )

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    mode: Mode = Field(
        default=Mode.EMBEDDED,
        description="`embedded` keeps everything on this machine; `production` demands secrets "
        "and tokens.",
    )
    data: Path = Field(
        default=Path(".annals"), description="Folder of the databases, keys and the lock file."
    )
    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address the API and the pages listen on."
    )
    http_port: Port = Field(
        default=8080, description="Port of the HTTP API and the pages; 0 takes a free one."
    )
    grpc_port: Port = Field(default=50051, description="Port of the gRPC API; 0 takes a free one.")
    operations_port: Port = Field(
        default=9464,
        description="Port of `/metrics`, `/livez` and `/readyz` of api and worker processes; 0 "
        "takes a free one.",
    )
    database_url: DatabaseUrl | None = Field(
        default=None,
        repr=False,
        description="The PostgreSQL database of each service; `{service}` stands for its name: "
        "`postgresql://annals_{service}@db/annals_{service}?sslmode=verify-full`. Without it, "
        "SQLite files in the data folder.",
    )
    database_password: SecretStr | None = Field(
        default=None, description="Password that replaces the one of `ANNALS_DATABASE_URL`."
    )
    database_pool: int = Field(
        default=16,
        ge=1,
        le=500,
        description="Connections to the database that a process keeps per service, opened when "
        "they are needed.",
    )
    broker_url: BrokerUrl | None = Field(
        default=None,
        repr=False,
        description="RabbitMQ, `amqps://user:password@host/vhost`. Without it, messages stay "
        "inside the process.",
    )
    service_address: Address = Field(
        default="annals-{service}:50051",
        description="Where other services' gRPC is; `{service}` stands for the name.",
    )
    service_addresses: Addresses = Field(
        default={},
        description="JSON object of services whose gRPC is elsewhere, name to address.",
    )
    service_token_file: FilePath | None = Field(
        default=None,
        description="File of the token with which a service reads other services' logs; read "
        "again whenever it is used, so that it can change.",
    )
    service_token: SecretStr | None = Field(
        default=None, description="The same token, given directly."
    )
    tls_certificate: FilePath | None = Field(
        default=None,
        description="PEM file of the certificate chain that gRPC and HTTP servers show.",
    )
    tls_key: FilePath | None = Field(
        default=None, description="PEM file of the certificate's private key."
    )
    tls_authority: FilePath | None = Field(
        default=None,
        description="PEM file of the authority that peers' certificates are checked against. "
        "When given, services show each other their certificates.",
    )
    key_encryption_key: Key | None = Field(
        default=None,
        description="32 bytes in base64 that wrap the keys of personal data. Of several, with "
        "commas between, the first wraps and all open (`annals rotate-keys`). Embedded: made on "
        "first use and kept in the data folder.",
    )
    token_secret: Annotated[SecretStr, Field(min_length=_SECRET_LENGTH)] | None = Field(
        default=None,
        description="Secret of at least 32 characters that signs and checks the tokens of an "
        "embedded installation; made on first use and kept in the data folder.",
    )
    token_issuer: str | None = Field(
        default=None,
        pattern=r"^https://",
        description="The company's OpenID Connect issuer, whose tokens production accepts.",
    )
    token_audience: str = Field(
        default="annals", min_length=1, description="The audience tokens must be made for."
    )
    token_keys_url: str | None = Field(
        default=None,
        pattern=_KEYS_PLACE,
        description="Where the issuer publishes its signing keys (JWKS), by https.",
    )
    token_keys: Keys | None = Field(
        default=None,
        description="The issuer's signing keys instead of their URL: a JWKS document, or a file "
        "that holds one.",
    )
    telemetry_endpoint: CollectorUrl | None = Field(
        default=None,
        description="OpenTelemetry collector (OTLP over HTTP), `http://collector:4318`. Without "
        "it, no traces.",
    )
    telemetry_ratio: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the conversations that traces follow; the same for every process.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important log line to write."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto` writes for people on a terminal and JSON elsewhere."
    )
    sqlite_synchronous: Literal["full", "normal"] = Field(
        default="full",
        description="`full` survives a power cut without losing an answered command; `normal` is "
        "faster and may lose the last moments.",
    )
    body_limit: int = Field(
        default=1_048_576,
        ge=1_024,
        le=67_108_864,
        description="Largest request body in bytes, of HTTP and of gRPC.",
    )
    page_limit: int = Field(
        default=500, ge=1, le=500, description="Most rows a page of a list may have."
    )
    rate_limit: float = Field(
        default=0.0,
        ge=0,
        le=1_000_000,
        description="Requests per second that one caller may make of one process; 0 sets no limit.",
    )
    request_timeout: float = Field(
        default=10.0, gt=0, le=300, description="Seconds after which a request is given up."
    )
    time_zone: TimeZone = Field(
        default="UTC", description="Time zone in which days and months of business are counted."
    )

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.mode is Mode.PRODUCTION:
            missing = [
                PREFIX + name.upper()
                for name in self.needed_in_production
                if not (getattr(self, name) or (name == "token_keys_url" and self.token_keys))
            ]
            if missing:
                raise ValueError(f"production needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _pairs_fit(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE and {PREFIX}TLS_KEY belong together")
        for one, other in (
            ("token_keys", "token_keys_url"),
            ("service_token", "service_token_file"),
        ):
            if getattr(self, one) and getattr(self, other):
                raise ValueError(f"give {PREFIX}{one.upper()} or {PREFIX}{other.upper()}, not both")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - read below, with its errors
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, `.env`, `annals.toml`."""
        files = (InitSettingsSource(settings_cls, read(Path())) for read in (_dotenv, _toml))
        return (init_settings, env_settings, *files)

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.time_zone)

    def database_for(self, service: str) -> str | None:
        """Return the URL of a service's database, its password in it; None means SQLite."""
        if self.database_url is None:
            return None
        url = urlsplit(self.database_url.replace(SERVICE, service))
        if self.database_password is None:
            return url.geturl()
        account, _, place = url.netloc.rpartition("@")
        password = quote(self.database_password.get_secret_value(), safe="")
        return url._replace(netloc=f"{account.partition(':')[0]}:{password}@{place}").geturl()

    def address_of(self, service: str) -> str:
        """Return where a service's gRPC is, `host:port`."""
        address = self.service_addresses.get(service, self.service_address)
        return address.replace(SERVICE, service)

    def own_token(self) -> str | None:
        """Return the token with which this service reads others' logs, None when there is none."""
        if self.service_token_file is not None:
            return self.service_token_file.read_text("utf-8").strip()
        return self.service_token.get_secret_value() if self.service_token else None

    def wrapping_keys(self) -> Sequence[bytes]:
        """Return the keys, 32 bytes each, of which the first wraps the keys of personal data.

        One is made and kept when none is given.

        Raises:
            SettingsError: the file they are kept in does not hold such keys.
        """
        if self.key_encryption_key is not None:
            return keys_of(self.key_encryption_key.get_secret_value())
        try:
            return keys_of(self._kept("key_encryption_key"))
        except ValueError as error:
            place = self.data / "secrets" / "key_encryption_key"
            raise SettingsError([f"{place} {error}"]) from None

    def signing_secret(self) -> str:
        """Return the secret of this installation's tokens; made and kept when not given."""
        if self.token_secret is not None:
            return self.token_secret.get_secret_value()
        return self._kept("token_secret")

    def environment(self) -> dict[str, str]:
        """Return the variables that give a child process these settings."""
        found = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            if isinstance(value, dict):
                value = json.dumps(value)
            if value is not None:
                found[PREFIX + name.upper()] = str(value)
        return found

    def _kept(self, name: str) -> str:
        """Read a secret of this installation; two processes that make it at once agree on one."""
        path = self.data / "secrets" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = path.with_name(f"{name}.{os.getpid()}")
            made.touch(mode=0o600)
            made.write_text(base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
            try:
                path.hardlink_to(made)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        return path.read_text().strip()


class EdgeSettings(Settings):
    """Settings of the gateway, which keeps nothing and passes tokens on, and of migrations."""

    needed_in_production: ClassVar[tuple[str, ...]] = ()


def read_settings(kind: type[Settings] = Settings, /, **given: Any) -> Settings:
    """Read the settings of this process.

    Args:
        kind: `EdgeSettings` for the gateway, which needs less.
        given: settings from the command line; None means not given there.

    Raises:
        SettingsError: a file cannot be read, a name is unknown, or a value does not fit.
    """
    given = {name: value for name, value in given.items() if value is not None}
    _refuse_unknown(os.environ, "the environment")
    try:
        return kind(**given)
    except ValidationError as error:
        raise SettingsError([_problem(found, given) for found in error.errors()]) from None


def _dotenv(folder: Path) -> dict[str, Any]:
    text = _text(folder / ".env")
    bindings = list(parse_stream(StringIO(text)))
    broken = [binding.original.line for binding in bindings if binding.error]
    if broken:
        raise SettingsError([f".env line {line} is not NAME=value" for line in broken])
    values = {binding.key: binding.value or "" for binding in bindings if binding.key}
    _refuse_unknown(values, ".env")
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in values.items()
        if name.startswith(PREFIX) and value
    }


def _toml(folder: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(_text(folder / "annals.toml"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"annals.toml cannot be read: {error}"]) from None
    _refuse_unknown({PREFIX + name.upper(): value for name, value in values.items()}, "annals.toml")
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError([f"{path.name} cannot be read: {reason}"]) from None


def _refuse_unknown(values: Mapping[str, Any], source: str) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = [
        name
        for name in values
        if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX) and name not in known
    ]
    if unknown:
        raise SettingsError(
            [f"{name} in {source} is no setting{did_you_mean(name, known)}" for name in unknown]
        )


def _problem(error: Any, given: Mapping[str, Any]) -> str:
    reason = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return str(reason)
    name = str(error["loc"][0])
    variable = PREFIX + name.upper()
    if name in given:
        source = "the command line"
    elif os.environ.get(variable):
        source = "the environment"
    elif name in _dotenv(Path()):
        source = ".env"
    else:
        source = "annals.toml"
    return f"{variable} in {source}: {reason}"
