"""What is shipped to watch the daemon with speaks of what it really tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stratum_orchestrator.api.metrics import Metrics
from support.desk import FixedClock

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "stratum.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "stratum.json"
_OF_A_HISTOGRAM = ("", "_bucket", "_count", "_sum")
_FROM_SCRAPES = {"instance", "job", "le", "alertname", "alertstate"}


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["query"]["query"] for each in board["templating"]["list"][1:])


def told() -> dict[str, set[str]]:
    """Every exposed name to its labels."""
    found = {}
    for each in Metrics(FixedClock(), version="1").described:
        endings = _OF_A_HISTOGRAM if each.kind == "histogram" else ("",)
        found |= {each.name + ending: set(each.labels) for ending in endings}
    return found


def test_every_metric_of_rules_and_dashboard_exists_with_its_labels() -> None:
    known, used = told(), set()

    for text in expressions():
        for name, matchers in re.findall(r"\b(stratum_\w+)(\{[^}]*\})?", text):
            assert name in known, text
            labels = set(re.findall(r"(\w+)\s*[=!]~?", matchers))
            assert labels <= known[name] | _FROM_SCRAPES, text
            used.add(name)

    assert len(used) > 20


def test_what_is_grouped_by_is_a_label_of_what_is_grouped() -> None:
    known = told()

    for text in expressions():
        names = re.findall(r"\bstratum_\w+", text)
        grouped = re.findall(r"by \(([^)]*)\)", text)
        for label in re.split(r",\s*", ",".join(grouped)) if grouped else ():
            assert label in _FROM_SCRAPES | set().union(*(known[each] for each in names)), text


def test_what_is_exposed_is_what_is_described() -> None:
    metrics = Metrics(FixedClock(), version="1")

    exposed = re.findall(
        r"^# TYPE (stratum_\w+) \w+$", metrics.exposition().decode(), re.MULTILINE
    )

    apart = {name for name in exposed if not name.endswith("_created")}
    assert apart == {each.name for each in metrics.described}


def test_every_panel_has_a_place_of_its_own() -> None:
    board = json.loads(DASHBOARD.read_text())
    taken: set[tuple[int, int]] = set()

    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool of Prometheus")
@pytest.mark.parametrize(
    ("what", "file"),
    [
        (("check", "rules"), "stratum.rules.yml"),
        (("test", "rules"), "stratum.test.yml"),
        (("check", "config"), "prometheus.yml"),
    ],
)
def test_prometheus_takes_the_rules_and_they_fire(what: tuple[str, ...], file: str) -> None:
    place = DEPLOY / "prometheus"

    done = subprocess.run(
        ["promtool", *what, file], cwd=place, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
