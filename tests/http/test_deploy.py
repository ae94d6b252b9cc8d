"""What is in deploy/: the dashboard asks for figures that there are, and files are what those who read them take."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from onebook.http.measures import COUNTERS, GAUGES, HISTOGRAMS

DEPLOY = Path(__file__).parents[2] / "deploy"
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus itself gives."""


def names() -> dict[str, set[str]]:
    """Every name that /metrics can have -> its labels."""
    found = {f"{name}_total": set(labels) for name, (_, labels) in COUNTERS.items()}
    found |= {name: set(labels) for name, (_, labels) in GAUGES.items()}
    return found | {f"{name}_{part}": {"le"} for name in HISTOGRAMS for part in ("bucket", "count", "sum")}


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana/onebook.json").read_text(encoding="utf-8"))


def faults(shown: Any) -> list[str]:
    """What is wrong with the queries of a dashboard."""
    known, found = names(), []
    queries = [(panel["title"], target) for panel in shown["panels"] for target in panel.get("targets", ())]
    for title, target in queries:
        query, legend = target["expr"], target["legendFormat"]
        if any(query.count(first) != query.count(last) for first, last in ("()", "{}", "[]")):
            found.append(f"{title}: brackets of {query}")
        asked = re.findall(r"onebook_\w+", query)
        found += [f"{title}: there is no {name}" for name in asked if name not in known]
        labels = {label for name in asked for label in known.get(name, ())} | SCRAPED
        named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)) | set(re.findall(r"{{(\w+)}}", legend))
        for group in re.findall(r"by \(([^)]*)\)", query):
            named |= {part.strip() for part in group.split(",")}
        found += [f"{title}: no label {label}" for label in sorted(named - labels)]
        if any(name.endswith("_total") for name in asked) and "rate(" not in query:
            found.append(f"{title}: a counter is asked for without its rate")
    return found


def test_the_dashboard_asks_for_figures_that_there_are() -> None:
    shown = dashboard()
    assert faults(shown) == []
    asked = set(re.findall(r"onebook_\w+", json.dumps(shown)))
    assert len(asked) > 25
    for wanted in ("onebook_equity", "onebook_subscriber_lag", "onebook_sync_seconds_bucket", "onebook_trading_state"):
        assert wanted in asked


@pytest.mark.parametrize(
    ("query", "legend", "fault"),
    [
        ("onebook_equities", "", "there is no onebook_equities"),
        ("onebook_facts", "", "there is no onebook_facts"),
        ('onebook_equity{strategy="a"}', "", "no label strategy"),
        ("sum by (strategy) (onebook_equity)", "", "no label strategy"),
        ("onebook_equity", "{{strategy}}", "no label strategy"),
        ("rate(onebook_facts_total[5m]", "", "brackets"),
        ("onebook_facts_total", "", "without its rate"),
    ],
)
def test_a_fault_of_the_dashboard_is_seen(query: str, legend: str, fault: str) -> None:
    panel = {"title": "a", "targets": [{"expr": query, "legendFormat": legend}]}
    assert fault in " ".join(faults({"panels": [panel]}))


def test_panels_have_their_own_place_and_id() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_compose_names_files_that_there_are_and_opens_nothing_to_others() -> None:
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    for name, service in made["services"].items():
        for volume in service.get("volumes", ()):
            place = volume.split(":")[0]
            assert (DEPLOY / place).exists() if place.startswith(".") else place in made["volumes"], (name, place)
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), (name, port)
        for secret in service.get("secrets", ()):
            assert made["secrets"][secret]["file"].startswith("./secrets/")
        assert set(service.get("depends_on", ())) <= set(made["services"])
        assert "latest" not in service["image"]
    build = made["services"]["onebook"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    assert (DEPLOY / ".gitignore").read_text(encoding="utf-8").split() == ["secrets/"]


def test_prometheus_asks_the_service_under_a_name_that_it_answers_to() -> None:
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    host, _, port = job["static_configs"][0]["targets"][0].partition(":")
    command = made["services"]["onebook"]["command"]
    assert command[command.index("--allow-host") + 1] == host
    assert host in made["services"]
    assert port == "8321"
    assert job["metrics_path"] == "/metrics"
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{made['services']['prometheus']['secrets'][0]}"


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    places = DEPLOY / "grafana/provisioning"
    (source,) = yaml.safe_load((places / "datasources/prometheus.yaml").read_text(encoding="utf-8"))["datasources"]
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert source["url"].removeprefix("http://").split(":")[0] in made["services"]
    (provider,) = yaml.safe_load((places / "dashboards/onebook.yaml").read_text(encoding="utf-8"))["providers"]
    volumes = [volume.split(":")[1] for volume in made["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/onebook.json" in volumes


def test_the_container_runs_what_the_command_line_has() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    command = json.loads(re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)[-1])
    assert command == ["serve", "--host", "0.0.0.0"]  # noqa: S104  inside the container
    assert json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)[-1]) == ["onebook"]
    assert "USER 10001" in text
    assert all("@" in image or ":" in image for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "onebook.service").read_text(encoding="utf-8")
    assert re.search(r"^ExecStart=/opt/onebook/bin/onebook serve$", text, re.MULTILINE)
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("LEFT OUT: there is no systemd-analyze here; the unit is not verified")
    unit = tmp_path / "onebook.service"
    there = shutil.which("true") or "/bin/true"  # the program itself need not be there
    unit.write_text(text.replace("/opt/onebook/bin/onebook", there), encoding="utf-8")
    ran = subprocess.run(
        [tool, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    told = [line for line in ran.stderr.splitlines() if "onebook.service" in line]
    assert told == [], ran.stderr
