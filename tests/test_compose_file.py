"""docker-compose.yml says nothing that the programs do not know, and leaves no door open."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import mlflow.environment_variables
import pytest
import yaml

from pipelines.schedule.environment import INSTANCE
from tests.containers import FILE, PORTS, PROGRAMS, ROOT, resolved

TOLD = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = TOLD["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SECRETS = {"POSTGRES_PASSWORD", "STORE_KEY", "STORE_SECRET", "GRAFANA_PASSWORD"}


def environment(name: str) -> dict[str, str]:
    told: dict[str, str] = SERVICES[name].get("environment", {})
    return told


@pytest.mark.needs("docker-compose")
def test_compose_reads_it_and_asks_for_every_secret(tmp_path: Path) -> None:
    def code(given: set[str]) -> int:
        secrets = {name: f"p@$ {name}" for name in given}
        command = ["docker-compose", "--file", str(FILE), "--env-file", os.devnull, "config", "--quiet"]
        return subprocess.run(command, env={"PATH": os.environ["PATH"]} | secrets, capture_output=True).returncode

    assert code(SECRETS) == 0
    for secret in SECRETS:
        assert code(SECRETS - {secret}) != 0, secret


def test_no_secret_has_a_default_and_all_others_have() -> None:
    asked = re.findall(r"\$\{(\w+)(:[-?])", FILE.read_text())
    assert {name for name, kind in asked if kind == ":?"} == SECRETS
    assert SECRETS.isdisjoint(name for name, kind in asked if kind == ":-")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_pinned_watched_restarted_and_no_root(name: str) -> None:
    service = SERVICES[name]
    assert "build" in service or re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+", port) for port in service.get("ports", ()))
    assert service.get("cap_drop") == ["ALL"] or name == "objects"


def test_the_images_are_built_of_what_is_there() -> None:
    assert re.search(r"^FROM python:\d+\.\d+\.\d+-slim-\w+ AS forecaster$", DOCKERFILE, flags=re.MULTILINE)
    assert {one["build"]["target"] for one in SERVICES.values() if "build" in one} == set(
        re.findall(r" AS (\w+)", DOCKERFILE)
    )
    let_in = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE))
    assert {
        path for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, flags=re.MULTILINE) for path in line.split()
    } == let_in
    (extras,) = re.findall(r'"\.\[(.+)\]"', DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    folders = re.search(r"install --directory .*?((?:\s/home/\S+)+)", DOCKERFILE, flags=re.DOTALL)
    assert folders is not None
    mounted = {
        volume.split(":")[1] for name in ("service", "scheduler") for volume in resolved(SERVICES[name], {})["volumes"]
    }
    assert mounted - {"/home/forecaster/jobs", "/home/forecaster/data"} <= set(folders[1].split())


def test_every_variable_is_one_that_is_read() -> None:
    names = {name for service in SERVICES for name in environment(service)}
    sources = "".join(file.read_text() for floor in ("pipelines", "service") for file in (ROOT / floor).rglob("*.py"))
    for name in names:
        if name.startswith("FORECASTER_"):
            assert f'"{name}"' in sources
        elif name.startswith("MLFLOW_"):
            assert hasattr(mlflow.environment_variables, name)
        else:
            assert re.match("PGPASSWORD$|POSTGRES_|AWS_|GF_", name)


def test_only_mlflow_reaches_the_objects() -> None:
    assert {name for name in SERVICES if "objects" in SERVICES[name].get("networks", ())} == {"objects", "mlflow"}
    assert {name for name in SERVICES if "AWS_SECRET_ACCESS_KEY" in environment(name)} == {"objects", "mlflow"}


def test_grafana_finds_its_data_source_and_its_dashboard() -> None:
    source, provider = (yaml.safe_load(TOLD["configs"][name]["content"]) for name in ("datasource", "dashboards"))
    board = json.loads((ROOT / TOLD["configs"]["dashboard"]["file"]).read_text())
    (prometheus,) = source["datasources"]
    assert prometheus["url"] == f"http://prometheus:{PORTS['prometheus']}"
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {prometheus["uid"]}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    targets = {config["source"]: Path(config["target"]) for config in SERVICES["grafana"]["configs"]}
    assert targets["dashboard"].parent == Path(provider["providers"][0]["options"]["path"])
    assert targets["dashboard"] == Path(environment("grafana")["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])


@pytest.mark.needs("promtool")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(TOLD["configs"]["prometheus"]["content"])
    done = subprocess.run(["promtool", "check", "config", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_runs_in_the_test_is_all_there_is() -> None:
    assert set(SERVICES) - {"postgres", "grafana"} == set(PROGRAMS) & set(SERVICES)


def test_dagster_is_set_up_as_outside_of_containers() -> None:
    told = yaml.safe_load(TOLD["configs"]["dagster"]["content"])
    assert told.pop("storage").keys() == {"postgres"}
    assert told == yaml.safe_load(INSTANCE)
