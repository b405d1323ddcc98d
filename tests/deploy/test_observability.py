"""Rules, alerts and dashboards: about metrics that exist, and with a page that says what to do."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from shared.chassis.telemetry.metrics import NAMES
from tests.deploy.kinds import Groups, Rule
from tests.deploy.manifests import DEPLOY, ROOT, SERVICES, of_kind, overlay

OBSERVABILITY = DEPLOY / "observability"
PROMETHEUS = OBSERVABILITY / "prometheus"
DASHBOARD = json.loads((OBSERVABILITY / "grafana/annals.json").read_text())
ELSEWHERE = {
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "rabbitmq_disk_space_available_bytes",
    "rabbitmq_disk_space_available_limit_bytes",
    "up",
}
"""Metrics that Prometheus, the kubelet and RabbitMQ export themselves."""
_WORDS = {
    "absent", "and", "by", "count", "group", "histogram_quantile", "increase", "label_replace",
    "label_values", "le", "max", "max_over_time", "on", "or", "rate", "sum", "unless", "vector",
}  # fmt: skip

pytestmark = pytest.mark.capability("PLT-14")


def groups(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROMETHEUS / f"{name}.yaml").read_text())
    return found


def rules(name: str) -> list[Rule]:
    return [rule for group in Groups.model_validate(groups(name)).groups for rule in group.rules]


def metrics(expression: str) -> set[str]:
    """Return the names of series in an expression, `_bucket`, `_sum` and `_count` cut off."""
    bare = re.sub(r'\{[^}]*\}|"[^"]*"|\[[^\]]*\]', " ", expression)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^)]*\)", " ", bare)
    names = set(re.findall(r"[a-zA-Z_][\w:]*", bare)) - _WORDS
    return {re.sub(r"(_seconds|_events)_(bucket|sum|count)$", r"\1", name) for name in names}


def asked() -> list[str]:
    panels = [
        target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
    ]
    return [*panels, *(rule.expr for name in ("recording", "alerts") for rule in rules(name))]


def test_whatever_is_asked_is_exported_or_recorded() -> None:
    recorded = {rule.record for rule in rules("recording")}
    for expression in asked():
        unknown = metrics(expression) - NAMES - recorded - ELSEWHERE
        assert not unknown, expression


def test_a_metric_that_does_not_exist_is_found() -> None:
    expression = 'sum by (context) (rate(annals_comand_seconds_count{code="OK"}[5m])) > 0'
    assert metrics(expression) - NAMES == {"annals_comand_seconds"}


def test_every_metric_is_watched() -> None:
    watched = {name for expression in asked() for name in metrics(expression)}
    assert watched >= NAMES


def test_everything_recorded_is_used() -> None:
    used = {name for expression in asked() for name in metrics(expression)}
    scaled = [
        one["spec"]["triggers"][0]["metadata"]["query"]
        for one in of_kind(overlay("production"), "ScaledObject")
    ]
    assert {rule.record for rule in rules("recording")} <= used.union(*map(metrics, scaled))


def test_every_alert_has_a_runbook() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    headings = re.findall(r"^### (Annals\w+)$", page, re.MULTILINE)
    alerts = rules("alerts")
    assert sorted(headings) == sorted(str(rule.alert) for rule in alerts)
    for rule in alerts:
        assert rule.labels.keys() == {"severity"}
        assert rule.labels["severity"] in {"warning", "critical"}
        assert rule.annotations.keys() == {"summary", "runbook"}
        assert rule.annotations["runbook"] == f"docs/operations.md#{str(rule.alert).lower()}"


def test_the_operators_rules_are_the_same() -> None:
    (rule,) = of_kind(overlay("production"), "PrometheusRule")
    both = groups("recording")["groups"] + groups("alerts")["groups"]
    assert rule["spec"]["groups"] == both


def test_rules_fire_when_they_should() -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not installed")
    for words in (
        ("check", "rules", "recording.yaml", "alerts.yaml"),
        ("test", "rules", "alerts.test.yaml"),
        ("check", "config", "--syntax-only", "prometheus.yaml"),
    ):
        done = subprocess.run(
            [promtool, *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_asks_every_process_of_the_compose_file() -> None:
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    ours = {name for name, one in file["services"].items() if one["image"].startswith("annals-")}
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
    watched = {
        (name, found["port"])
        for job in jobs
        for found in job.get("dns_sd_configs", ())
        for name in found["names"]
    }
    assert {(name, 9464) for name in ours - {"gateway", "migrate"}} | {("gateway", 8080)} <= watched
    assert {name for name, _ in watched} <= set(file["services"])
    assert len(SERVICES) * 2 <= len(watched)


def test_every_process_is_asked_under_a_name_that_outlives_it() -> None:
    jobs = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())["scrape_configs"]
    scrapes = [one.get("relabel_configs", []) for one in jobs if "annals" in one["job_name"]]
    for monitor in of_kind(overlay("production"), "PodMonitor"):
        if monitor["metadata"]["name"] != "annals-broker":
            (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
            scrapes.append(endpoint.get("relabelings", []))
    assert len(scrapes) == 4
    for (relabelling,) in scrapes:
        assert "process" in relabelling.values()


def test_the_dashboard_is_laid_out_without_overlaps() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_grafana_finds_the_data_and_the_dashboard() -> None:
    sources = yaml.safe_load((OBSERVABILITY / "grafana/datasources.yaml").read_text())
    file = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for source in sources["datasources"]:
        host = re.fullmatch(r"http://([\w-]+):\d+", source["url"])
        assert host is not None
        assert host[1] in file["services"]
    folder = yaml.safe_load((OBSERVABILITY / "grafana/dashboards.yaml").read_text())
    (provider,) = folder["providers"]
    targets = [config["target"] for config in file["services"]["grafana"]["configs"]]
    assert f"{provider['options']['path']}/annals.json" in targets


def test_the_collector_listens_where_processes_send() -> None:
    collector = yaml.safe_load((OBSERVABILITY / "collector/collector.yaml").read_text())
    protocols = collector["receivers"]["otlp"]["protocols"]
    example = (DEPLOY / "compose/example.env").read_text()
    (endpoint,) = re.findall(r"^#TELEMETRY_ENDPOINT=http://collector:(\d+)", example, re.MULTILINE)
    assert endpoint in {one["endpoint"].rpartition(":")[2] for one in protocols.values()}
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(collector[kind])
