"""The alert rules and the dashboard speak of metrics that exist, with labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from test_docs import ROOT

from ticketing import app
from ticketing.processes import probes, work

FOLDER = ROOT / "docs/monitoring"
ALERTS: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = DASHBOARD["panels"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [target["expr"] for p in PANELS for target in p["targets"]]
OWN_LABELS = {"le", "instance", "job"}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def metrics() -> Iterator[tuple[str, set[str]]]:
    """The names of all series that the processes of the service make, each with its labels."""
    assert app
    assert work
    for collector in {*REGISTRY._collector_to_names, probes.Processes([])}:
        for family in collector.describe() if hasattr(collector, "describe") else collector.collect():
            labels = set(getattr(collector, "_labelnames", ()))
            for suffix in SUFFIXES.get(family.type, ()):
                yield family.name + suffix, labels


METRICS = dict(metrics())


def series(expression: str) -> list[tuple[str, str]]:
    """The metrics of an expression, each with its selector."""
    return re.findall(r"\b(ticketing_\w+)(\{[^}]*\})?", expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_of_metrics_and_labels_that_exist(expression: str) -> None:
    found = series(expression)
    assert found
    labels = set(OWN_LABELS)
    for name, selector in found:
        assert name in METRICS
        labels |= METRICS[name]
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= METRICS[name] | OWN_LABELS
    for grouping in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in grouping.split(",")} <= labels


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_closed(expression: str) -> None:
    unquoted = re.sub(r'"[^"]*"', "", expression)
    for opening, closing in ("()", "[]", "{}"):
        assert unquoted.count(opening) == unquoted.count(closing)
    for counter in re.findall(r"ticketing_\w+(?:_total|_bucket)\b(?:\{[^}]*\})?(\[[^]]+\])?", unquoted):
        assert re.fullmatch(r"\[(\d+[mh]|\$__rate_interval)\]", counter), "a counter is only looked at as a rate"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_whom_it_wakes_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description"}
    labels = {label for name, _ in series(rule["expr"]) for label in METRICS[name]}
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= labels
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def test_the_alerts_fire_when_they_have_to() -> None:
    cases = ROOT / "tests/data/alerts_test.yaml"
    tested = {
        each["alertname"] for case in yaml.safe_load(cases.read_text())["tests"] for each in case["alert_rule_test"]
    }
    assert tested <= {rule["alert"] for rule in RULES}
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_and_the_panels_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({panel["title"] for panel in PANELS}) == len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_every_metric_of_an_outage_has_an_alert() -> None:
    alerted = {name for rule in RULES for name, _ in series(rule["expr"])}
    assert alerted >= {
        "ticketing_database_errors_total",
        "ticketing_clock_ahead_seconds",
        "ticketing_worker_processes",
        "ticketing_ready",
    }


def test_the_share_of_requests_that_fail_is_of_faults_and_not_of_what_clients_ask_in_vain() -> None:
    expression = next(rule["expr"] for rule in RULES if rule["alert"] == "TicketingRequestsFail")
    selector = re.search(r'status=~"([^"]+)",status!="([^"]+)"', expression)
    assert selector
    statuses, left_out = selector.groups()
    counted = {status for status in ("201", "422", "500", "501", "503") if re.fullmatch(statuses, status)}
    assert counted - {left_out} == {"500", "503"}
