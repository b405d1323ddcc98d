"""The compose file: valid, safe to start, and in step with the code."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from shared.chassis.api.identity import identity_of
from shared.chassis.api.rights import ADMINISTRATOR, SERVICE
from shared.chassis.settings import EdgeSettings, Settings
from tests.deploy.manifests import DEPLOY, RESERVED, ROOT, SERVICES, connections

TEXT = (ROOT / "docker-compose.yml").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
EXAMPLE = DEPLOY / "compose/example.env"
OURS = ("api", "worker", "gateway", "migrate")

pytestmark = pytest.mark.capability("PLT-15")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that a try-out's secrets were made in."""
    folder = tmp_path_factory.mktemp("try-out") / "secrets"
    program = DEPLOY / "compose/prepare.py"
    subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)
    return folder


def environment(secrets: Path) -> dict[str, str]:
    lines = (secrets / "annals.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def composed(values: dict[str, str]) -> dict[str, Any]:
    """Return the file with its variables filled in as compose does it."""

    def value(match: re.Match[str]) -> str:
        name, kind, text = match.groups()
        if values.get(name):
            return values[name]
        assert kind == "-", f"{name} has no value"
        return str(text)

    found: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, TEXT))
    return found


def of_annals(file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: one for name, one in file["services"].items() if one["image"].startswith("annals-")
    }


def test_the_file_is_valid(secrets: Path) -> None:
    PyCompose.from_json(json.dumps(composed(environment(secrets)))).validate()


def test_a_slip_of_the_pen_is_found(secrets: Path) -> None:
    file = composed(environment(secrets))
    file["services"]["gateway"]["depend_on"] = ["migrate"]
    with pytest.raises(ValueError, match="depend_on"):
        PyCompose.from_json(json.dumps(file))


def test_without_its_secrets_it_does_not_start() -> None:
    with pytest.raises(AssertionError, match="has no value"):
        composed({})


def test_the_example_names_every_variable() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert named == {name for name, _, _ in VARIABLE.findall(TEXT)} | {"COMPOSE_PROFILES"}
    required = {name for name, kind, _ in VARIABLE.findall(TEXT) if kind == "?"}
    blank = set(re.findall(r"^([A-Z_]+)=\s", EXAMPLE.read_text(), re.MULTILINE))
    assert blank | {"TOKEN_ISSUER"} == required


def test_every_service_runs_in_each_of_the_two_layouts(secrets: Path) -> None:
    services = of_annals(composed(environment(secrets)))
    for profile in ("small", "services"):
        runs = [one["command"] for one in services.values() if one.get("profiles") == [profile]]
        assert sorted((run[0], name) for run in runs for name in run[1:]) == sorted(
            (run, name) for run in ("api", "worker") for name in SERVICES
        )
    assert services["gateway"].get("profiles") is None
    assert services["migrate"]["command"] == ["migrate"]


def test_the_database_takes_every_process_of_either_layout(secrets: Path) -> None:
    file = composed(environment(secrets))
    (allowed,) = re.findall(r"max_connections=(\d+)", str(file["services"]["postgres"]))
    for profile in ("small", "services"):
        wanted = RESERVED
        for one in of_annals(file).values():
            if one.get("profiles", [profile]) == [profile]:
                command, *names = one["command"]
                pool = one["environment"]["ANNALS_DATABASE_POOL"]
                wanted += len(names or SERVICES) * connections(command, pool)
        assert wanted <= int(allowed)


def test_services_answer_where_the_others_look(secrets: Path) -> None:
    services = of_annals(composed(environment(secrets)))
    small = set(services["api"]["networks"]["annals"]["aliases"])
    template = Settings.model_fields["service_address"].default.rpartition(":")[0]
    hosts = {template.format(service=name) for name in SERVICES}
    assert small == hosts
    assert hosts <= set(services)
    for name in hosts:
        assert services[name]["command"] == ["api", name.removeprefix("annals-")]


def test_a_process_runs_the_image_of_its_service(secrets: Path) -> None:
    services = of_annals(composed(environment(secrets)))
    built = {one["image"]: one["build"] for one in services.values() if "build" in one}
    for one in services.values():
        image = one["image"].partition(":")[0].removeprefix("annals-")
        assert built[one["image"]]["args"] == {"SERVICE": image}
        command, *names = one["command"]
        assert command in OURS
        assert image in ({"all"} | ({names[0]} if len(names) == 1 else {"gateway"}))


def test_every_process_is_given_settings_it_accepts(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = composed(environment(secrets))
    mounted = {name: file["secrets"][name]["file"] for name in file["secrets"]}
    for one in of_annals(file).values():
        with monkeypatch.context() as patch:
            for variable, value in one["environment"].items():
                mount = value.removeprefix("/run/secrets/")
                if mount == value:
                    patch.setenv(variable, value)
                else:
                    assert mount in one["secrets"]
                    patch.setenv(variable, str(secrets / Path(mounted[mount]).name))
            kind = EdgeSettings if one["command"] == ["gateway"] else Settings
            assert kind().mode == "production"


def test_the_tokens_of_a_try_out_are_accepted(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        mode="production",  # type: ignore[arg-type]
        key_encryption_key=environment(secrets)["KEY_ENCRYPTION_KEY"],  # type: ignore[arg-type]
        database_url="postgresql://annals_{service}@db/annals_{service}",
        broker_url="amqp://annals@broker/annals",
        token_issuer=environment(secrets)["TOKEN_ISSUER"],
        token_keys=str(secrets / "token-keys.json"),
    )
    identity = identity_of(settings)
    for name, role in (("administrator-token", ADMINISTRATOR), ("service-token", SERVICE)):
        actor = identity.identify(f"Bearer {(secrets / name).read_text()}")
        assert actor.roles == {role}


def test_what_was_made_once_is_kept(secrets: Path) -> None:
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    (secrets / "administrator-token").unlink()
    program = DEPLOY / "compose/prepare.py"
    said = subprocess.run(
        [sys.executable, str(program), str(secrets)], check=True, capture_output=True, text=True
    ).stdout
    assert said.splitlines() == [str(secrets / "administrator-token")]
    after = {path.name: path.read_text() for path in secrets.iterdir()}
    assert after.keys() == before.keys()
    assert after["annals.env"] == before["annals.env"]
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


def test_secrets_stand_nowhere_in_the_repository() -> None:
    assert "deploy/compose/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for name, line in re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE):
        if name.endswith(("PASSWORD", "KEY")):
            assert not line.partition("#")[0].strip()
    for line in TEXT.splitlines():
        if re.search(r"PASS(WORD)?:|_KEY:", line):
            assert VARIABLE.search(line), line


def test_no_image_goes_without_a_version(secrets: Path) -> None:
    for name, one in composed(environment(secrets))["services"].items():
        assert re.search(r":v?\d+\.\d+", one["image"]), name


def test_processes_are_confined_and_limited(secrets: Path) -> None:
    file = composed(environment(secrets))
    for one in of_annals(file).values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["stop_grace_period"] == "15s"
    for name, one in file["services"].items():
        assert "mem_limit" in one, name
        for published in one.get("ports", ()):
            assert published.startswith("127.0.0.1:"), name


def test_nothing_starts_before_what_it_needs(secrets: Path) -> None:
    file = composed(environment(secrets))
    for name, one in of_annals(file).items():
        waits = {other: how["condition"] for other, how in one["depends_on"].items()}
        if name == "migrate":
            assert waits == {"postgres": "service_healthy"}
        else:
            assert waits == {
                "migrate": "service_completed_successfully",
                "rabbitmq": "service_healthy",
            }
    for name in ("postgres", "rabbitmq"):
        assert "test" in file["services"][name]["healthcheck"]


def test_every_file_that_is_mounted_exists(secrets: Path) -> None:
    file = composed(environment(secrets))
    for config in file["configs"].values():
        assert (ROOT / config["file"]).is_file()
    for one in file["services"].values():
        for volume in one.get("volumes", ()):
            if volume.startswith("./"):
                assert (ROOT / volume.partition(":")[0]).is_file()
    made = {f"deploy/compose/secrets/{path.name}" for path in secrets.iterdir()}
    assert {secret["file"] for secret in file["secrets"].values()} <= made
