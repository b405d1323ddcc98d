import base64
from pathlib import Path

import pytest

from shared.chassis.settings import (
    PREFIX,
    EdgeSettings,
    Mode,
    Settings,
    SettingsError,
    read_settings,
)

KEY = base64.b64encode(bytes(range(32))).decode()
PRODUCTION = {
    "mode": "production",
    "key_encryption_key": KEY,
    "token_issuer": "https://login.example.com/realms/acme",
    "token_keys_url": "https://login.example.com/realms/acme/keys",
    "database_url": "postgresql://annals_{service}@db/annals_{service}",
    "broker_url": "amqps://annals:secret@broker/annals",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with none of our variables set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**given: object) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(**given)
    return str(caught.value)


def test_without_anything_said_the_defaults_hold() -> None:
    settings = read_settings()
    assert settings.mode is Mode.EMBEDDED
    assert settings.http_port == 8080
    assert settings.data == Path(".annals")


def test_the_nearer_source_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "annals.toml").write_text("http_port = 1\ngrpc_port = 1\nbody_limit = 1111\n")
    (folder / ".env").write_text("ANNALS_HTTP_PORT=2\nANNALS_GRPC_PORT=2\nOTHER=x\n")
    monkeypatch.setenv("ANNALS_HTTP_PORT", "3")
    settings = read_settings(log_level="error", host=None)
    assert settings.http_port == 3
    assert settings.grpc_port == 2
    assert settings.body_limit == 1111
    assert settings.log_level == "error"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HTTP_PORT", "abc", "valid integer"),
        ("HTTP_PORT", "70000", "less than or equal to 65535"),
        ("MODE", "staging", "'embedded' or 'production'"),
        ("TIME_ZONE", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("KEY_ENCRYPTION_KEY", "c2hvcnQ=", "32 bytes in base64"),
        ("KEY_ENCRYPTION_KEY", f"{KEY},c2hvcnQ=", "32 bytes in base64"),
        ("KEY_ENCRYPTION_KEY", f"{KEY},", "32 bytes in base64"),
        ("TOKEN_SECRET", "short", "at least 32"),
        ("BODY_LIMIT", "-1", "greater than or equal to 1024"),
        ("DATABASE_URL", "mysql://db/annals", "must start with postgresql://"),
        ("DATABASE_URL", "postgresql:db", "must start with postgresql://"),
        ("DATABASE_URL", "postgresql://db:port/annals", "is no URL"),
        ("DATABASE_URL", "postgresql://db/{name}", "the only placeholder is {service}"),
        ("BROKER_URL", "https://broker", "must start with amqp:// or amqps://"),
        ("SERVICE_ADDRESS", "annals-{service}", "must be host:port or unix:/path"),
        ("SERVICE_ADDRESS", "{context}:50051", "the only placeholder is {service}"),
        ("SERVICE_ADDRESSES", "leads=127.0.0.1:1", "must be a JSON object"),
        ("SERVICE_ADDRESSES", '["leads"]', "valid dictionary"),
        ("SERVICE_ADDRESSES", '{"leads": "here"}', "must be host:port or unix:/path"),
        ("TLS_CERTIFICATE", "/nowhere.pem", "does not point to a file"),
        ("SERVICE_TOKEN_FILE", "/nowhere", "does not point to a file"),
        ("TOKEN_KEYS", "/nowhere", "the path of a file that holds one"),
        ("TOKEN_KEYS", '{"key": 1}', "an object with a list `keys`"),
        ("TOKEN_KEYS_URL", "http://login.example.com/keys", "should match pattern"),
        ("TELEMETRY_ENDPOINT", "collector:4317", "must start with http:// or https://"),
        ("PAGE_LIMIT", "501", "less than or equal to 500"),
        ("RATE_LIMIT", "-1", "greater than or equal to 0"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_source(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(f"ANNALS_{name}", value)
    message = refusal()
    assert message.startswith(f"ANNALS_{name} in the environment: ")
    assert reason in message


def test_every_problem_is_named_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "annals.toml").write_text("grpc_port = 'x'\n")
    (folder / ".env").write_text("ANNALS_HTTP_PORT=y\n")
    monkeypatch.setenv("ANNALS_BODY_LIMIT", "z")
    lines = refusal(log_level="loud").splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "ANNALS_BODY_LIMIT in the environment",
        "ANNALS_GRPC_PORT in annals.toml",
        "ANNALS_HTTP_PORT in .env",
        "ANNALS_LOG_LEVEL in the command line",
    ]


def test_an_unknown_variable_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANNALS_HTP_PORT", "1")
    assert refusal() == (
        "ANNALS_HTP_PORT in the environment is no setting; did you mean ANNALS_HTTP_PORT?"
    )


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (".env", b"ANNALS_DAAT=x", "ANNALS_DAAT in .env is no setting; did you mean ANNALS_DATA?"),
        (".env", b"HOME=/\n= what\n", ".env line 2 is not NAME=value"),
        (".env", b"\xff\xfe\x00", ".env cannot be read: it is not UTF-8 text"),
        ("annals.toml", b"colour = 1", "ANNALS_COLOUR in annals.toml is no setting"),
        ("annals.toml", b"http_port = ", "annals.toml cannot be read: Invalid value (at end"),
        ("annals.toml", b"\x80", "annals.toml cannot be read: it is not UTF-8 text"),
    ],
)
def test_a_corrupt_settings_file_is_refused_readably(
    folder: Path, file: str, content: bytes, message: str
) -> None:
    (folder / file).write_bytes(content)
    assert refusal().startswith(message)


def test_a_settings_file_that_is_a_folder_is_refused(folder: Path) -> None:
    (folder / "annals.toml").mkdir()
    assert refusal() == "annals.toml cannot be read: Is a directory"


def test_production_demands_its_secrets() -> None:
    assert refusal(mode="production", key_encryption_key=KEY) == (
        "production needs ANNALS_DATABASE_URL, ANNALS_BROKER_URL, ANNALS_TOKEN_ISSUER, "
        "ANNALS_TOKEN_KEYS_URL"
    )
    settings = read_settings(**PRODUCTION)
    assert settings.wrapping_keys() == [bytes(range(32))]


def test_production_takes_the_issuers_keys_directly() -> None:
    given = {**PRODUCTION, "token_keys_url": None, "token_keys": ' {"keys": []} '}
    assert read_settings(**given).token_keys == '{"keys": []}'


def test_the_gateway_needs_no_secrets_in_production() -> None:
    assert read_settings(EdgeSettings, mode="production").mode is Mode.PRODUCTION


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tls_key": "file"}, "ANNALS_TLS_CERTIFICATE and ANNALS_TLS_KEY belong together"),
        (
            {"token_keys": '{"keys": []}', "token_keys_url": "https://login.example.com/keys"},
            "give ANNALS_TOKEN_KEYS or ANNALS_TOKEN_KEYS_URL, not both",
        ),
        (
            {"service_token": "token", "service_token_file": "file"},
            "give ANNALS_SERVICE_TOKEN or ANNALS_SERVICE_TOKEN_FILE, not both",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    folder: Path, given: dict[str, str], message: str
) -> None:
    (folder / "file").touch()
    assert refusal(**given) == message


def test_each_service_has_a_database_of_its_own() -> None:
    settings = read_settings(**PRODUCTION)
    assert settings.database_for("leads") == "postgresql://annals_leads@db/annals_leads"
    assert read_settings().database_for("leads") is None


@pytest.mark.parametrize("account", ["annals", "annals:old"])
def test_a_database_password_given_apart_is_put_into_the_url(account: str) -> None:
    settings = read_settings(
        database_url=f"postgresql://{account}@[::1]:5433/{{service}}?sslmode=verify-full",
        database_password="p@ss/word",
    )
    assert settings.database_for("leads") == (
        "postgresql://annals:p%40ss%2Fword@[::1]:5433/leads?sslmode=verify-full"
    )


def test_a_service_is_found_by_its_name_or_where_it_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANNALS_SERVICE_ADDRESSES", '{"leads": "127.0.0.1:7"}')
    settings = read_settings()
    assert settings.address_of("leads") == "127.0.0.1:7"
    assert settings.address_of("billing") == "annals-billing:50051"


def test_a_service_token_in_a_file_is_read_again(folder: Path) -> None:
    file = folder / "token"
    file.write_text("first\n")
    settings = read_settings(service_token_file=file)
    assert settings.own_token() == "first"
    file.write_text("second\n")
    assert settings.own_token() == "second"
    assert read_settings(service_token="given").own_token() == "given"
    assert read_settings().own_token() is None


def test_settings_can_be_shown_without_their_secrets() -> None:
    shown = repr(
        read_settings(
            database_url="postgresql://u:hunter2@db/x",
            broker_url="amqp://u:hunter2@b",
            service_token="hunter2",
            database_password="hunter2",
        )
    )
    assert "hunter2" not in shown


def test_a_secret_that_is_given_is_used() -> None:
    assert read_settings(token_secret="s" * 32).signing_secret() == "s" * 32


def test_several_keys_may_open_what_they_wrapped(folder: Path) -> None:
    new = base64.b64encode(b"n" * 32).decode()
    settings = read_settings(key_encryption_key=f"{new}, {KEY}")
    assert settings.wrapping_keys() == [b"n" * 32, bytes(range(32))]
    kept = folder / "data/secrets/key_encryption_key"
    made = read_settings(data=folder / "data").wrapping_keys()
    kept.write_text(f"{new},{kept.read_text()}\n")
    assert read_settings(data=folder / "data").wrapping_keys() == [b"n" * 32, *made]
    kept.write_text("geheim")
    with pytest.raises(SettingsError, match=r"secrets/key_encryption_key must be 32 bytes") as told:
        read_settings(data=folder / "data").wrapping_keys()
    assert "geheim" not in str(told.value)


def test_a_refusal_never_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNALS_TOKEN_SECRET", "hunter2")
    monkeypatch.setenv("ANNALS_KEY_ENCRYPTION_KEY", "hunter2")
    assert "hunter2" not in refusal()


def test_an_embedded_installation_makes_its_secrets_once(folder: Path) -> None:
    first, second = read_settings(data=folder / "data"), read_settings(data=folder / "data")
    assert first.wrapping_keys() == second.wrapping_keys()
    assert first.signing_secret() == second.signing_secret()
    assert [len(key) for key in first.wrapping_keys()] == [32]
    assert first.signing_secret() != read_settings(data=folder / "other").signing_secret()
    kept = folder / "data/secrets"
    assert sorted(path.name for path in kept.iterdir()) == ["key_encryption_key", "token_secret"]
    assert {path.stat().st_mode & 0o777 for path in kept.iterdir()} == {0o600}


def test_a_child_process_reads_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    settings = read_settings(
        data=folder,
        http_port=0,
        token_secret="t" * 40,
        service_addresses={"leads": "127.0.0.1:7"},
        **PRODUCTION,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings() == settings
