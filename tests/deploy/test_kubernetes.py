"""The Kubernetes manifests: built, valid, hardened, and in step with the code."""

import re
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError

from annals.provisioning import provisioning
from gateway import create_app
from shared.chassis.api.contract import Contract
from shared.chassis.settings import EdgeSettings, Settings
from tests.deploy.kinds import KINDS
from tests.deploy.manifests import (
    CERTIFICATE,
    DEPLOY,
    K8S,
    OVERLAYS,
    RESERVED,
    ROOT,
    SERVICES,
    built,
    configured,
    connections,
    default,
    encrypted,
    found,
    given,
    labels,
    mounted,
    of_kind,
    operations,
    overlay,
    paths,
    processes,
    secrets,
    selects,
)

ASKED = {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
OLDEST, NEWEST = "1.30.0", "1.37.0"
"""The versions of Kubernetes the manifests are for."""
COMPONENTS = sorted(path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml"))
INTERNAL = {"/metrics", "/readyz"}
"""Paths of the gateway for those who run it."""
_RUNS = ("api", "worker", "migrate")
_SECRETS = {
    "ANNALS_KEY_ENCRYPTION_KEY": "key-encryption-key",
    "ANNALS_DATABASE_PASSWORD": "password",
    "BROKER_PASSWORD": "password",
}
_MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
_TLS = {"scheme", "tlsConfig"}

pytestmark = pytest.mark.capability("PLT-15")


def valid(resource: dict[str, Any]) -> None:
    kind = KINDS.get((resource["apiVersion"], resource["kind"]))
    if kind is not None:
        kind.model_validate(resource)
        return
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_resource_of_an_overlay_is_valid(name: str) -> None:
    for resource in overlay(name):
        valid(resource)


def test_a_slip_of_the_pen_is_found() -> None:
    deployment, scaled = (
        next(of_kind(overlay("production"), kind)) for kind in ("Deployment", "ScaledObject")
    )
    deployment["spec"]["template"]["spec"]["enableServiceLink"] = False
    scaled["spec"]["maxReplicas"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        valid(deployment)
    with pytest.raises(ValidationError, match="maxReplicas"):
        valid(scaled)


def test_production_uses_every_component() -> None:
    used = yaml.safe_load((K8S / "overlays/production/kustomization.yaml").read_text())[
        "components"
    ]
    assert sorted(Path(path).name for path in used) == COMPONENTS


def test_every_name_is_used_once() -> None:
    for name in OVERLAYS:
        names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in overlay(name)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_service_has_its_processes_its_account_and_its_address(name: str) -> None:
    resources = overlay(name)
    runs = {(one.command, *one.container["args"][1:]) for one in processes(resources)}
    assert runs == {("gateway",), *((run, service) for service in SERVICES for run in _RUNS)}
    accounts = {one["metadata"]["name"] for one in of_kind(resources, "ServiceAccount")}
    assert accounts == {f"annals-{home}" for home in ("gateway", *SERVICES)}
    template = Settings.model_fields["service_address"].default
    addresses = {template.format(service=service) for service in SERVICES}
    offered = {
        f"{one['metadata']['name']}:{port['port']}"
        for one in of_kind(resources, "Service")
        for port in one["spec"]["ports"]
    }
    assert addresses <= offered


def test_a_process_runs_the_image_and_account_of_its_service() -> None:
    for one in processes(overlay("production")):
        (service,) = one.container["args"][1:] or ["gateway"]
        assert one.container["image"] == f"registry.example.com/annals/{service}:0.1.0"
        assert one.pod["serviceAccountName"] == f"annals-{service}"
        assert labels(one.resource)["app.kubernetes.io/name"] == f"annals-{service}"
        assert labels(one.resource)["app.kubernetes.io/component"] == one.command


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_fits_the_restricted_profile(name: str) -> None:
    for resource in of_kind(overlay(name), "Deployment", "Job", "StatefulSet"):
        pod = resource["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [volume for volume in pod.get("volumes", ()) if "hostPath" in volume]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_annals_own_pods_write_to_tmp_only(name: str) -> None:
    for one in processes(overlay(name)):
        assert one.container["securityContext"]["readOnlyRootFilesystem"] is True
        assert one.pod["securityContext"]["runAsUser"] == 10001
        written = [m["mountPath"] for m in one.container["volumeMounts"] if not m.get("readOnly")]
        assert written == ["/tmp"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_pod_is_given_variables_that_settings_would_refuse(name: str) -> None:
    """Kubernetes names ANNALS_LEADS_SERVICE_HOST and its like unless it is told not to."""
    for resource in of_kind(overlay(name), "Deployment", "Job", "StatefulSet"):
        assert resource["spec"]["template"]["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"ANNALS_{field.upper()}" for field in Settings.model_fields}
    resources = overlay(name)
    for one in processes(resources):
        variables = {**configured(one, resources), **one.env}
        used = set(re.findall(r"\$\((\w+)\)", " ".join(map(str, variables.values()))))
        assert set(variables) <= known | used | {"BROKER_SCHEME"}, one.name


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_process_is_given_settings_it_accepts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    resources = overlay(name)
    for one in processes(resources):
        with monkeypatch.context() as patch:
            for variable, value in given(one, resources, tmp_path).items():
                patch.setenv(variable, value)
            kind = EdgeSettings if one.command in {"gateway", "migrate"} else Settings
            settings = kind()
            assert settings.mode == "production"
            assert "$(" not in str(settings.broker_url)
            for service in one.container["args"][1:]:
                url = settings.database_for(service)
                assert url is not None
                assert re.match(
                    rf"postgresql://annals_{service}:secret@\S+/annals_{service}\b", url
                )


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_are_referenced_and_never_written(name: str) -> None:
    resources = overlay(name)
    assert not list(of_kind(resources, "Secret"))
    for one in processes(resources):
        for variable, key in _SECRETS.items():
            source = one.env.get(variable)
            if source is None:
                assert one.command in {"gateway", "migrate"}
                continue
            assert source["secretKeyRef"]["key"] == key
        for variable, value in configured(one, resources).items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN$|ENCRYPTION|BROKER_URL", variable)
            assert not secret, variable
            assert not re.search(r"://[^/@]*:[^/@]*@", value), variable


def test_a_service_is_given_its_own_secrets_only() -> None:
    for one in processes(overlay("production")):
        for service in SERVICES:
            if f"annals-{service}" != one.pod["serviceAccountName"]:
                assert not {f"annals-{service}", f"annals-{service}-database"} & secrets(one)


def test_no_image_goes_without_a_version() -> None:
    images = [
        image
        for name in OVERLAYS
        for resource in overlay(name)
        for image in found(resource, "image", "imageName")
    ]
    assert len(images) > len(OVERLAYS) * len(SERVICES)
    for image in images:
        tag = image.rpartition(":")[2]
        assert re.match(r"\d+\.\d+", tag), image


@pytest.mark.parametrize("name", OVERLAYS)
def test_probes_ask_what_the_process_answers(name: str) -> None:
    for one in processes(overlay(name)):
        ports = {port["name"]: port["containerPort"] for port in one.container.get("ports", ())}
        probes: dict[str, Any] = {
            kind: one.container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")
        }
        match one.command:
            case "api":
                (service,) = one.container["args"][1:]
                assert ports == {"grpc": default("grpc_port"), "operations": operations()}
                if encrypted(one):  # which the kubelet cannot ask by gRPC
                    assert paths(probes) == ASKED
                    continue
                assert all(probe["grpc"]["port"] == ports["grpc"] for probe in probes.values())
                asked = probes["readiness"]["grpc"]["service"]
                assert asked == Contract.load(service).service
            case "worker":
                assert ports == {"operations": operations()}
                assert paths(probes) == ASKED
            case "gateway":
                assert ports == {"http": default("http_port")}
                assert set(paths(probes).values()) == {"/healthz"}
                schemes = {probe["httpGet"].get("scheme") for probe in probes.values()}
                assert schemes == {"HTTPS" if encrypted(one) else None}
            case "migrate":
                assert set(probes.values()) == {None}


def test_a_process_is_given_longer_to_end_than_it_takes() -> None:
    for one in processes(overlay("production")):
        if one.resource["kind"] == "Deployment":
            waits = one.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
            assert one.pod["terminationGracePeriodSeconds"] >= waits.get("seconds", 0) + 10 + 5
            assert one.resource["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_whatever_points_at_pods_points_at_some() -> None:
    resources = overlay("production")
    pods = [labels(one.resource) for one in processes(resources)]
    for kind, place in (("Service", "selector"), ("PodDisruptionBudget", "selector")):
        for one in of_kind(resources, kind):
            selector = one["spec"][place]
            wanted = selector.get("matchLabels", selector).items()
            assert any(wanted <= pod.items() for pod in pods), one["metadata"]["name"]
    deployments = {one["metadata"]["name"] for one in of_kind(resources, "Deployment")}
    targets = [
        one["spec"]["scaleTargetRef"]["name"]
        for one in of_kind(resources, "ScaledObject", "HorizontalPodAutoscaler")
    ]
    assert sorted(targets) == sorted(deployments)


def test_every_deployment_stands_a_drained_node() -> None:
    resources = overlay("production")
    budgets = [
        one["spec"]["selector"]["matchLabels"] for one in of_kind(resources, "PodDisruptionBudget")
    ]
    for one in of_kind(resources, "Deployment"):
        assert "replicas" not in one["spec"]  # those who scale it say how many
        assert [b for b in budgets if b.items() <= labels(one).items()]
    for scaled in of_kind(resources, "ScaledObject"):
        assert scaled["spec"]["minReplicaCount"] >= 2
    for scaled in of_kind(resources, "HorizontalPodAutoscaler"):
        assert scaled["spec"]["minReplicas"] >= 2


def test_workers_are_scaled_by_the_lag_of_their_own_consumers() -> None:
    for scaled in of_kind(overlay("production"), "ScaledObject"):
        service = scaled["spec"]["scaleTargetRef"]["name"].split("-")[1]
        (trigger,) = scaled["spec"]["triggers"]
        assert (
            f'annals:consumer_lag_events:max{{consumer=~"{service}[.].*"}}'
            in trigger["metadata"]["query"]
        )


def test_every_role_has_its_database_and_no_other() -> None:
    resources = overlay("production")
    (cluster,) = of_kind(resources, "Cluster")
    roles = {
        one["name"]: one["passwordSecret"]["name"] for one in cluster["spec"]["managed"]["roles"]
    }
    assert roles == {f"annals_{name}": f"annals-{name}-database" for name in SERVICES}
    databases = {
        one["spec"]["name"]: one["spec"]["owner"] for one in of_kind(resources, "Database")
    }
    assert databases == {role: role for role in roles}
    assert cluster["spec"]["postgresql"]["pg_hba"] == [
        "hostssl sameuser all all scram-sha-256",
        "host all all all reject",
    ]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_database_takes_as_many_pods_as_there_may_be(name: str) -> None:
    resources = overlay(name)
    most = {
        one["spec"]["scaleTargetRef"]["name"]: maximum
        for one in of_kind(resources, "ScaledObject", "HorizontalPodAutoscaler")
        for maximum in found(one, "maxReplicas", "maxReplicaCount")
    }
    wanted = RESERVED
    for one in processes(resources):
        pool = (configured(one, resources) | one.env)["ANNALS_DATABASE_POOL"]
        surge = max(found(one.resource, "maxSurge"), default=0)
        wanted += (most.get(one.name, 1) + surge) * connections(one.command, pool)
    (allowed,) = {
        *(int(value) for value in found(resources, "max_connections")),
        *(int(value) for value in re.findall(r"'max_connections=(\d+)'", str(resources))),
    }
    assert wanted <= allowed


def test_prometheus_reaches_whatever_it_is_to_ask() -> None:
    resources = overlay("production")
    (broker,) = of_kind(resources, "RabbitmqCluster")
    plain = {} if broker["spec"]["tls"]["disableNonTLSListeners"] else {"prometheus": 15692}
    targets: list[tuple[dict[str, str], dict[str, int], set[str]]] = [
        ({"app.kubernetes.io/name": "annals-broker"}, {"prometheus-tls": 15691, **plain}, _TLS)
    ]
    for one in processes(resources):
        ports = {port["name"]: port["containerPort"] for port in one.container.get("ports", ())}
        shown = _TLS if one.command == "gateway" and encrypted(one) else set()
        targets.append((labels(one.resource), ports, shown))
    for monitor in of_kind(resources, "PodMonitor"):
        asked = [one for one in targets if selects(monitor["spec"]["selector"], one[0])]
        assert asked, monitor["metadata"]["name"]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert _TLS & set(endpoint) == asked[0][2]
            for pod, ports, _ in asked:
                way = {endpoint["port"], ports[endpoint["port"]]}
                assert any(
                    way & {one["port"] for one in rule["ports"]} and _MONITORING in rule["from"]
                    for policy in of_kind(resources, "NetworkPolicy")
                    if selects(policy["spec"]["podSelector"], pod)
                    for rule in policy["spec"].get("ingress", ())
                )


def test_whoever_comes_from_outside_finds_what_is_public_and_nothing_else() -> None:
    (ingress,) = of_kind(overlay("production"), "Ingress")
    (rule,) = ingress["spec"]["rules"]

    def leads(path: str) -> bool:
        return any(
            path == one["path"]
            or (one["pathType"] == "Prefix" and path.startswith(f"{one['path'].rstrip('/')}/"))
            for one in rule["http"]["paths"]
        )

    own = {str(route.path) for route in create_app({"leads": "leads:1"}).routes}  # type: ignore[attr-defined] # all have one
    assert own > INTERNAL
    pages = {"/", "/console/", "/console/_nicegui_ws/socket.io", "/v1/leads/wang:claim"}
    for path in own | pages:
        assert leads(path) == (path not in INTERNAL), path


def test_one_service_alone_is_the_base_without_the_others(tmp_path: Path) -> None:
    shutil.copytree(K8S / "base", tmp_path / "leads")
    chosen = tmp_path / "leads/kustomization.yaml"
    others = "|".join({"gateway", *SERVICES} - {"leads"})
    chosen.write_text(re.sub(rf"  - ({others})\.yaml\n", "", chosen.read_text()))
    resources = built(tmp_path / "leads")
    assert sorted(one["kind"] for one in resources) == [
        *("ConfigMap", "Deployment", "Deployment", "Job", "Namespace", "Service", "ServiceAccount")
    ]
    assert {(one.command, *one.container["args"][1:]) for one in processes(resources)} == {
        (run, "leads") for run in _RUNS
    }


def test_commands_on_the_pages_name_the_namespace() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    commands = re.findall(r"kubectl (?:exec|logs|port-forward|rollout|wait)[^`\n]*", pages)
    assert commands
    assert not [command for command in commands if "--namespace annals" not in command]


def test_policies_let_through_what_processes_need_and_deny_the_rest() -> None:
    resources = overlay("production")
    pods = {one.command: labels(one.resource) for one in processes(resources)}
    postgres, broker = (
        {"cnpg.io/cluster": "annals-postgres"},
        {"app.kubernetes.io/name": "annals-broker"},
    )
    policies = list(of_kind(resources, "NetworkPolicy"))

    def lets(way: str, own: dict[str, str], peer: dict[str, str], port: tuple[Any, ...]) -> bool:
        rules = [
            rule
            for policy in policies
            if selects(policy["spec"]["podSelector"], own)
            for rule in policy["spec"].get(way, ())
        ]
        peers = "to" if way == "egress" else "from"
        return any(
            any(one["port"] in port for one in rule["ports"])
            and any(selects(one.get("podSelector"), peer) for one in rule.get(peers, ()))
            for rule in rules
        )

    allowed = {
        (source, name)
        for source, of_source in pods.items()
        for name, target, port in (
            ("api", pods["api"], ("grpc", 50051)),
            ("postgres", postgres, (5432,)),
            ("broker", broker, (5671,)),
        )
        if lets("egress", of_source, target, port) and lets("ingress", target, of_source, port)
    }
    assert allowed == {
        ("gateway", "api"),
        ("api", "postgres"),
        ("worker", "api"),
        ("worker", "postgres"),
        ("worker", "broker"),
        ("migrate", "postgres"),
    }
    for pod in pods.values():
        covering = [p for p in policies if selects(p["spec"]["podSelector"], pod)]
        assert {kind for policy in covering for kind in policy["spec"]["policyTypes"]} == {
            "Ingress",
            "Egress",
        }


def test_in_production_every_connection_is_encrypted_and_checked() -> None:
    resources = overlay("production")
    certificates = {
        one["spec"]["secretName"]: one["spec"] for one in of_kind(resources, "Certificate")
    }
    for one in processes(resources):
        settings = configured(one, resources)
        url = settings["ANNALS_DATABASE_URL"]
        authority = re.search(r"sslmode=verify-full&sslrootcert=(/\S+)/ca\.crt", url)
        assert authority is not None
        if one.command != "gateway":
            assert mounted(one, authority[1])["secretName"] == "annals-postgres-ca"
        if one.command == "migrate":
            continue
        assert settings["BROKER_SCHEME"] == "amqps"
        shown = {Path(path) for name, path in one.env.items() if name.startswith("ANNALS_TLS_")}
        assert {path.name for path in shown} == CERTIFICATE
        (folder,) = {str(path.parent) for path in shown}
        service = one.pod["serviceAccountName"]
        certificate = certificates[mounted(one, folder)["secretName"]]
        assert service in certificate["dnsNames"]
        assert certificate["usages"] == ["server auth", "client auth"]
    (broker,) = of_kind(resources, "RabbitmqCluster")
    certificate = certificates[broker["spec"]["tls"]["secretName"]]
    assert "annals-broker.annals.svc" in certificate["dnsNames"]
    (ingress,) = of_kind(resources, "Ingress")
    assert ingress["spec"]["tls"]
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


def test_the_script_of_the_local_overlay_makes_every_secret_it_refers_to() -> None:
    script = (K8S / "overlays/local/secrets.sh").read_text()
    assert re.search(rf"for service in {' '.join(SERVICES)};", script)
    made = set(re.findall(r'^ *secret "?([\w$-]+)"?', script, re.MULTILINE))
    resources = overlay("local")
    wanted = {name for one in processes(resources) for name in secrets(one)}
    for server in of_kind(resources, "StatefulSet"):
        wanted |= {ref["name"] for ref in found(server, "secretKeyRef")}
    for service in SERVICES:
        wanted = {name.replace(f"-{service}", "-$service") for name in wanted}
    assert wanted == made


def test_the_databases_of_the_try_outs_are_what_the_command_prints() -> None:
    assert (DEPLOY / "postgres/databases.sql").read_text() == provisioning(SERVICES)
    (config,) = built(DEPLOY / "postgres")
    assert config["data"]["databases.sql"] == provisioning(SERVICES)
