"""What stands in deploy/, built as an operator would build it, without a cluster."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from sqlalchemy import QueuePool

from annals.installation import service_names
from shared.chassis.database import Database
from shared.chassis.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
K8S = DEPLOY / "k8s"
SERVICES = service_names()
OVERLAYS = ("local", "production")
RESERVED = 20
"""Connections to a server of others than Annals: superusers, operators, replicas."""
CERTIFICATE = {"ca.crt", "tls.crt", "tls.key"}
"""What cert-manager writes to the Secret of a certificate."""
PUBLISHED = """{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"""


class Process(NamedTuple):
    """One kind of pod that runs Annals."""

    resource: dict[str, Any]
    pod: dict[str, Any]
    container: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the Deployment or Job."""
        return str(self.resource["metadata"]["name"])

    @property
    def command(self) -> str:
        """What it runs: api, worker, gateway or migrate."""
        return str(self.container["args"][0])

    @property
    def env(self) -> dict[str, Any]:
        """Its variables, by name: text, or where the value comes from."""
        return {
            one["name"]: one.get("value", one.get("valueFrom")) for one in self.container["env"]
        }


def kustomize() -> list[str]:
    """Return the command that builds a kustomization; skip the test where there is none."""
    for program, words in (("kustomize", ["build"]), ("kubectl", ["kustomize"])):
        if path := shutil.which(program):
            return [path, *words]
    reason = "neither kustomize nor kubectl is installed"
    if os.environ.get("ANNALS_TEST_REQUIRE_SERVERS", "") not in {"", "0"}:
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def _built(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run([*kustomize(), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [resource for resource in yaml.safe_load_all(done.stdout) if resource]


def built(folder: Path) -> list[dict[str, Any]]:
    """Return the resources of a kustomization.

    Args:
        folder: where its kustomization.yaml is.
    """
    return deepcopy(_built(folder))


def overlay(name: str) -> list[dict[str, Any]]:
    """Return the resources of an overlay."""
    return built(K8S / "overlays" / name)


def of_kind(resources: list[dict[str, Any]], *kinds: str) -> Iterator[dict[str, Any]]:
    """Return the resources of some kinds."""
    return (resource for resource in resources if resource["kind"] in kinds)


def processes(resources: list[dict[str, Any]]) -> list[Process]:
    """Return the pods of Annals' own, servers left out."""
    found = []
    for resource in of_kind(resources, "Deployment", "Job"):
        pod = resource["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        found.append(Process(resource, pod, {"env": [], **container}))
    return found


def labels(resource: dict[str, Any]) -> dict[str, str]:
    """Return the labels of the pods that a Deployment, StatefulSet or Job makes."""
    found: dict[str, str] = resource["spec"]["template"]["metadata"]["labels"]
    return found


def encrypted(one: Process) -> bool:
    """Return whether a process shows a certificate."""
    return "ANNALS_TLS_CERTIFICATE" in one.env


def default(setting: str) -> int:
    """Return the default of a setting that is a number."""
    return int(Settings.model_fields[setting].default)


def operations() -> int:
    """Return the port that api and worker processes tell how they are at."""
    return default("operations_port")


def connections(command: str, pool: str) -> int:
    """Return how many connections a process may have open to one service's database.

    Args:
        command: what it runs: api, worker, gateway or migrate.
        pool: its ANNALS_DATABASE_POOL.
    """
    if command == "gateway":
        return 0
    if command == "migrate":
        return 2
    kept = Database.postgres("postgresql://db", pool=int(pool)).engine.pool
    assert isinstance(kept, QueuePool)
    locks = 2 if command == "worker" else 0
    return kept.size() + kept._max_overflow + locks


def paths(probes: dict[str, Any]) -> dict[str, str]:
    """Return what each probe asks for over HTTP."""
    return {kind: probe["httpGet"]["path"] for kind, probe in probes.items()}


def configured(one: Process, resources: list[dict[str, Any]]) -> dict[str, str]:
    """Return the variables that come from ConfigMaps."""
    maps = {
        config["metadata"]["name"]: config["data"] for config in of_kind(resources, "ConfigMap")
    }
    values: dict[str, str] = {}
    for source in one.container["envFrom"]:
        values |= maps[source["configMapRef"]["name"]]
    return values


def given(one: Process, resources: list[dict[str, Any]], folder: Path) -> dict[str, str]:
    """Return all variables as the kubelet makes them, with examples of secrets and of files.

    A `$(NAME)` is filled in when its variable stands before, and else left as it is.
    """
    examples = {
        "ANNALS_KEY_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ANNALS_TOKEN_KEYS": PUBLISHED,
        "BROKER_HOST": "annals-broker.annals.svc",
        "BROKER_PORT": "5672",
    }
    mounts = {mount["mountPath"]: mount["name"] for mount in one.container["volumeMounts"]}
    values = configured(one, resources)
    for variable, value in one.env.items():
        if not isinstance(value, str):
            values[variable] = examples.get(variable, "secret")
        elif value.startswith("/"):
            path = Path(value)
            (volume,) = [v for v in one.pod["volumes"] if v["name"] == mounts[str(path.parent)]]
            items = volume["secret"].get("items")
            assert path.name in ([item["path"] for item in items] if items else CERTIFICATE)
            (folder / path.name).write_text("x")
            values[variable] = str(folder / path.name)
        else:
            values[variable] = re.sub(
                r"\$\((\w+)\)", lambda name: values.get(name[1], name[0]), value
            )
    return values


def mounted(one: Process, folder: str) -> dict[str, Any]:
    """Return the secret that is mounted at a folder."""
    (name,) = [m["name"] for m in one.container["volumeMounts"] if m["mountPath"] == folder]
    (volume,) = [volume for volume in one.pod["volumes"] if volume["name"] == name]
    secret: dict[str, Any] = volume["secret"]
    return secret


def secrets(one: Process) -> set[str]:
    """Return the names of the Secrets a process is given."""
    env = {ref["name"] for ref in found(one.container, "secretKeyRef")}
    return env | {v["secret"]["secretName"] for v in one.pod["volumes"] if "secret" in v}


def found(tree: Any, *names: str) -> Iterator[Any]:
    """Return every value that stands under one of these names."""
    children = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree if isinstance(tree, list) else ())
    )
    for name, child in children:
        if name in names:
            yield child
        else:
            yield from found(child, *names)


def selects(selector: dict[str, Any] | None, pod: dict[str, str]) -> bool:
    """Return whether a label selector takes a pod; None takes none."""
    if selector is None:
        return False
    expressions = selector.get("matchExpressions", ())
    return selector.get("matchLabels", {}).items() <= pod.items() and all(
        pod.get(one["key"]) in one["values"] for one in expressions
    )
