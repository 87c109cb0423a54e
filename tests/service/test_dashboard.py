"""The dashboard and the alert rules of deploy/ name figures that a running service shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.metrics import copies
from tests.support.edge import edging
from tests.support.hosting import a_database, listening_on
from tests.support.projecting import projector
from tests.support.service import Client, Service
from tests.support.waiting import wait_for

DEPLOY = Path(__file__).parents[2] / "deploy"
_METRIC = re.compile(r"\bfulfilment_[a-z_]+\b")
_LABELS = re.compile(r"(fulfilment_[a-z_]+)\{([^}]*)\}")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_PARTS = ("_bucket", "_sum", "_count")


def alerts() -> list[dict[str, str]]:
    """The rules as they stand in the file: its lines are keys with values, and folded expressions."""
    text = re.sub(r">-\n\s+", "", (DEPLOY / "alerts.yaml").read_text())
    rules: list[dict[str, str]] = []
    for line in text.splitlines():
        if found := re.fullmatch(r"\s*(- )?(\w+): (.*)", line):
            starts, key, value = found.groups()
            if starts and key == "alert":
                rules.append({})
            if rules:
                rules[-1][key] = value
    return rules


def panels() -> list[dict[str, Any]]:
    return [each for each in json.loads((DEPLOY / "dashboard.json").read_text())["panels"] if each["type"] != "row"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in alerts()] + [target["expr"] for each in panels() for target in each["targets"]]


@pytest.fixture(scope="module")
def shown(embedded: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """The names of the figures of a service and its edges that have answered a call, each with its labels."""
    data = tmp_path_factory.mktemp("shown")
    with (
        pytest.MonkeyPatch.context() as patched,
        a_database(embedded) as dsn,
        projector(dsn),
        listening_on(dsn, data, "--metrics", "0", "--reporting-dsn", dsn) as listening,
        edging(Service("", data, dsn)) as edge,
    ):
        patched.setattr(copies, "LOOK_SECONDS", 0.2)
        with Client(f"127.0.0.1:{listening.port}") as client:
            client.approve()
        url = f"http://127.0.0.1:{listening.metrics_port}/metrics"
        text = wait_for(lambda: text if "fulfilment_replica_lag_seconds{" in (text := httpx2.get(url).text) else "")
        httpx2.post(f"{edge}/in/default/nobody", content=b"{}")
        text += httpx2.get(f"{edge}/metrics").text
        found: dict[str, set[str]] = {}
        for name, labels in re.findall(r"^([a-z_]+)(?:\{([^}]*)\})? ", text, re.MULTILINE):
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
        yield found


def test_each_alert_says_what_it_means_and_what_to_do():
    found = alerts()
    assert len(found) == (DEPLOY / "alerts.yaml").read_text().count("- alert:")
    for rule in found:
        assert {"alert", "expr", "labels", "summary", "action"} <= rule.keys(), rule


def test_each_figure_that_they_name_is_shown(shown: dict[str, set[str]]):
    named = {name for expression in expressions() for name in _METRIC.findall(expression)}
    assert len(named) > 20
    assert named <= shown.keys()


def test_each_label_that_they_name_is_shown(shown: dict[str, set[str]]):
    for expression in expressions():
        names = _METRIC.findall(expression)
        has = set.union(*(shown[name] for name in names))
        for grouped in _GROUPED.findall(expression):
            assert {each.strip() for each in grouped.split(",")} <= has, expression
        for name, labels in _LABELS.findall(expression):
            assert set(re.findall(r"(\w+)!?=~?\"", labels)) <= shown[name], expression


def test_each_figure_that_is_shown_is_on_the_dashboard_or_only_names_the_service(shown: dict[str, set[str]]):
    drawn = {name for each in panels() for target in each["targets"] for name in _METRIC.findall(target["expr"])}
    families = {re.sub(f"({'|'.join(_PARTS)})$", "", name) for name in drawn}
    missing = {name for name in shown if re.sub(f"({'|'.join(_PARTS)})$", "", name) not in families}
    assert missing <= {
        "fulfilment_info",
        "fulfilment_threads",
        "fulfilment_pool_connections_most",
        "fulfilment_pool_requests_total",
        "fulfilment_pool_errors_total",
    }


def test_expressions_close_what_they_open():
    for expression in expressions():
        for opens, closes in ("()", "{}", "[]"):
            assert expression.count(opens) == expression.count(closes), expression


def test_prometheus_understands_each_expression(tmp_path: Path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool on this machine")
    drawn = [target["expr"].replace("$__rate_interval", "1m") for each in panels() for target in each["targets"]]
    recorded = [{"record": f"drawn:{number}", "expr": expression} for number, expression in enumerate(drawn)]
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps({"groups": [{"name": "drawn", "rules": recorded}]}))
    for file in (DEPLOY / "alerts.yaml", rules):
        told = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr


def test_each_panel_says_what_it_shows():
    for each in panels():
        assert each["title"]
        assert each["description"]
    ids = [each["id"] for each in panels()]
    assert len(ids) == len(set(ids))
