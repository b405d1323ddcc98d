"""The images: what the Dockerfile says, what it copies, and what it leaves out."""

import http.server
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from shared.chassis.settings import Settings
from tests.deploy.image import DOCKER, annals, copied, kept, program
from tests.deploy.manifests import DEPLOY, ROOT, SERVICES
from tests.deploy.running import done, free_port, health, running, wait_for

IMAGES = (*SERVICES, "gateway", "all")

pytestmark = pytest.mark.capability("PLT-15")


class Instruction(NamedTuple):
    word: str
    text: str


def instructions() -> list[list[Instruction]]:
    """Return the instructions of each stage of the Dockerfile, after those before the first."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: list[list[Instruction]] = [[]]
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            if word == "FROM":
                stages.append([])
            stages[-1].append(Instruction(word, rest))
    return stages


def said(stage: list[Instruction], word: str) -> list[str]:
    return [one.text for one in stage if one.word == word]


def test_images_are_built_in_two_stages_from_one_pinned_base() -> None:
    before, build, final = instructions()
    (base,) = said(before, "ARG")
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.\d+\.\d+-slim-\w+", base)
    assert said(build, "FROM") == ["${PYTHON} AS build"]
    assert said(final, "FROM") == ["${PYTHON}"]
    assert all(line.startswith("--from=build") for line in said(final, "COPY"))


def test_images_run_without_root_and_without_a_shell_around_them() -> None:
    *_, final = instructions()
    assert said(final, "USER") == ["10001:10001"]
    assert said(final, "ENTRYPOINT") == ['["annals"]']
    assert said(final, "STOPSIGNAL") == ["SIGTERM"]
    (check,) = said(final, "HEALTHCHECK")
    assert "healthcheck.py" in check


def test_images_say_what_they_are() -> None:
    *_, final = instructions()
    (line,) = said(final, "LABEL")
    names = {"title", "description", "version", "revision"}
    assert set(re.findall(r"org\.opencontainers\.image\.(\w+)=", line)) == names


def test_the_version_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    *_, final = instructions()
    assert f"VERSION={version}" in said(final, "ARG")
    written = {
        found
        for path in (ROOT / "docker-compose.yml", *DEPLOY.rglob("*.yaml"))
        for found in re.findall(r"annals-\w+:(?:\$\{VERSION:-)?(\d[\w.]*)", path.read_text())
    }
    assert written == {version}


def test_variables_are_settings_and_ports_their_defaults() -> None:
    *_, final = instructions()
    (line,) = said(final, "ENV")
    given = set(re.findall(r"(ANNALS_\w+)=", line))
    assert given <= {f"ANNALS_{name.upper()}" for name in Settings.model_fields}
    (ports,) = said(final, "EXPOSE")
    fields = Settings.model_fields
    assert ports.split() == [
        str(fields[name].default) for name in ("grpc_port", "http_port", "operations_port")
    ]


def test_everything_copied_reaches_the_engine() -> None:
    _, build, _ = instructions()
    sources = [word for line in said(build, "COPY") for word in line.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for source in sources:
        assert any(source == one or source.startswith(f"{one}/") for one in let_in), source
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_images_hold_the_locked_packages_without_tools() -> None:
    tools, images = (
        dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", path.read_text(), re.MULTILINE))
        for path in (ROOT / "requirements.lock", DOCKER / "requirements.lock")
    )
    assert images.items() <= tools.items()
    assert not {"pytest", "mypy", "ruff", "hypothesis", "playwright", "testcontainers"} & set(
        images
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=~!]", line)[0].lower() for line in project["dependencies"]}
    assert wanted <= set(images)
    _, build, _ = instructions()
    assert any(
        "--require-hashes" in line and "--only-binary" in line for line in said(build, "RUN")
    )


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("sources"))


@pytest.mark.slow
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_the_code_it_runs_and_no_other(
    image: str, sources: Path, tmp_path: Path
) -> None:
    root = kept(sources, image, tmp_path)
    expected = {"all": set(SERVICES), "gateway": {"analytics"}}.get(image, {image})
    assert {path.name for path in (root / "services").iterdir() if path.is_dir()} == expected
    code = f"""
from annals.installation import schema, service_values
assert {{one.name for one in service_values()}} == {expected!r}
assert all(schema(name) for name in {expected!r})
import annals.deployables, annals.serving
"""
    done(program(root, code), {}, tmp_path)


@pytest.mark.slow
def test_the_gateways_image_serves_every_service(sources: Path, tmp_path: Path) -> None:
    root = kept(sources, "gateway", tmp_path)
    port = free_port()
    environment = {
        "ANNALS_MODE": "production",
        "ANNALS_HTTP_PORT": str(port),
        "ANNALS_DATA": str(tmp_path / "data"),
        "NICEGUI_STORAGE_PATH": str(tmp_path / "nicegui"),
    }
    with running(annals(root, "gateway"), environment, tmp_path) as process:
        wait_for(lambda: health(SERVICE="gateway", ANNALS_HTTP_PORT=str(port)) == 0, process)
        described = httpx.get(f"http://127.0.0.1:{port}/openapi.json").json()
        named = {path.split("/")[2] for path in described["paths"]}
        assert {"leads", "accounts", "opportunities", "contracts", "tickets"} <= named
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.servers
def test_a_services_image_migrates_its_database_and_serves(
    sources: Path, tmp_path: Path, postgres_database: str
) -> None:
    root = kept(sources, "leads", tmp_path)
    grpc, operations = free_port(), free_port()
    environment = {
        "ANNALS_MODE": "production",
        "ANNALS_DATABASE_URL": postgres_database,
        "ANNALS_DATA": str(tmp_path / "data"),
    }
    done(annals(root, "migrate", "leads"), environment, tmp_path)
    environment |= {
        "ANNALS_BROKER_URL": "amqp://nobody@127.0.0.1:1/",
        "ANNALS_KEY_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ANNALS_TOKEN_ISSUER": "https://issuer.example.com",
        "ANNALS_TOKEN_KEYS": '{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": '
        '"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
        "ANNALS_GRPC_PORT": str(grpc),
        "ANNALS_OPERATIONS_PORT": str(operations),
    }
    with running(annals(root, "api", "leads"), environment, tmp_path) as process:
        wait_for(lambda: health(ANNALS_OPERATIONS_PORT=str(operations)) == 0, process)
        for command in ("parked", "log"):  # as an operator asks inside the container
            done(annals(root, command), environment, tmp_path)
    assert process.returncode == 0
    assert not (tmp_path / "data").exists()


def test_an_unknown_service_has_no_image(sources: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DOCKER / "keep.py"), "sales", str(sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no service sales" in done.stderr


@pytest.fixture
def answering() -> Iterator[http.server.ThreadingHTTPServer]:
    """Give a server that is well at /livez and /healthz only."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in {"/livez", "/healthz"} else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_health_check_says_whether_the_process_answers(
    answering: http.server.ThreadingHTTPServer,
) -> None:
    port = str(answering.server_address[1])
    assert health(SERVICE="leads", ANNALS_OPERATIONS_PORT=port) == 0
    assert health(SERVICE="gateway", ANNALS_HTTP_PORT=port) == 0
    assert health(SERVICE="gateway", ANNALS_HTTP_PORT=port, ANNALS_TLS_CERTIFICATE="x") == 1
    answering.shutdown()
    answering.server_close()
    assert health(SERVICE="leads", ANNALS_OPERATIONS_PORT=port) == 1
