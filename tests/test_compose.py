"""docker-compose.yml and the programs that it starts agree: its commands, as they stand there, do the whole road."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
import pytest
import sqlalchemy as sa

from pipelines.jobs.file import read_job
from tests.containers import ROOT, Compose
from tests.pipelines.processes import free_port, running
from tests.pipelines.servers import PASSWORD, USER
from tests.pipelines.servers import postgres as postgres

SECRETS = {"POSTGRES_PASSWORD": PASSWORD, "STORE_KEY": "key", "STORE_SECRET": "s$cret", "GRAFANA_PASSWORD": "grafana"}
BODY = {"series": [{"id": "a", "start": "2016-12-01T00:00:00", "freq": "h", "target": list(range(72))}], "horizon": 24}
LAUNCH = """mutation { launchRun(executionParams: {
    selector: {repositoryLocationName: "definitions.py", repositoryName: "__repository__", jobName: "retrain_job"}
}) { __typename ... on PythonError { message } } }"""
"""Has Dagster run the job of retrain.yaml."""
STORE_PORTS = [f"{one}.port{kind}" for one in ("master", "volume", "filer", "admin") for kind in ("", ".grpc")]
"""Of SeaweedFS; in a container they are nobody else's."""


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory, postgres: sa.URL) -> Iterator[Compose]:
    """PostgreSQL with the databases of the file, the object store, MLflow, a champion and the service."""
    assert postgres.port is not None
    made = Compose(tmp_path_factory.mktemp("compose"), SECRETS | {"MODEL": "pedestrians"}, {"postgres": postgres.port})
    told = made.environment("postgres")
    assert (told["POSTGRES_USER"], told["POSTGRES_PASSWORD"]) == (USER, PASSWORD)
    with server(postgres).connect() as connection:
        for statement in (f"create database {told['POSTGRES_DB']}", *made.config("databases").splitlines()):
            connection.exec_driver_sql(statement)
    assert made.healthy("postgres")
    with ExitStack() as stack:
        stack.enter_context(objects(made))
        stack.enter_context(made.up("mlflow"))
        (made.volume(".") / "pipelines").symlink_to(ROOT / "pipelines")
        for block in blocks("first_day.md")[:2]:
            made.script(block)
        stack.enter_context(made.up("service"))
        yield made


def blocks(page: str, language: str = "sh") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/operations" / page).read_text(), flags=re.DOTALL)


def server(url: sa.URL) -> sa.Engine:
    return sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)


def objects(compose: Compose) -> AbstractContextManager[Any]:
    """The object store of the file where it is installed, else moto in its place."""
    if shutil.which("weed"):
        return compose.up("objects", "-ip=127.0.0.1", *(f"-{port}={free_port()}" for port in STORE_PORTS))
    return moto(compose)


@contextmanager
def moto(compose: Compose) -> Iterator[None]:
    port = compose.ports["objects"]
    with running(["-m", "moto.server", "-p", str(port)], f"http://127.0.0.1:{port}/moto-api/", {}):
        store(compose).create_bucket(Bucket="forecaster")
        yield


def store(compose: Compose) -> Any:
    """A client of the object store, with the keys of the file."""
    told = compose.environment("mlflow")
    keys = {"aws_access_key_id": told["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": told["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("s3", endpoint_url=told["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)


def get(url: str, body: object = None, **headers: str) -> Any:
    """JSON from a server."""
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, content, {"Content-Type": "application/json"} | headers), timeout=30) as answer:
        return json.loads(answer.read())


def text(url: str) -> str:
    with urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def test_two_workers_serve_what_was_trained(compose: Compose) -> None:
    address = f"http://127.0.0.1:{compose.ports['service']}"
    answer = get(f"{address}/forecast", BODY)
    assert answer["model"]["version"] == "1"
    assert answer["forecasts"][0]["quantiles"]["0.5"] == list(range(48, 72))  # seasonal naive
    late = time.monotonic() + 60  # it is ready with its first worker
    while 'forecaster_workers{version="1"} 2.0' not in text(f"{address}/metrics"):
        assert time.monotonic() < late
        time.sleep(0.2)


def test_runs_are_in_postgresql_and_artifacts_among_the_objects(compose: Compose, postgres: sa.URL) -> None:
    with server(postgres.set(database="mlflow")).connect() as connection:
        assert connection.exec_driver_sql("select name from registered_models").scalars().all() == ["pedestrians"]
        places = connection.exec_driver_sql("select artifact_uri from runs").scalars().all()
    assert places
    assert all(place.startswith("mlflow-artifacts:/") for place in places)  # by way of the server
    with server(postgres.set(database="forecaster")).connect() as connection:
        assert connection.exec_driver_sql("select name from forecaster_locks").scalars().all() == ["pedestrians"]
    keys = [one["Key"] for one in store(compose).list_objects_v2(Bucket="forecaster")["Contents"]]
    assert any(re.fullmatch("artifacts/.*/artifact/weights.safetensors", key) for key in keys)
    for name in ("service", "scheduler"):
        assert [key for key in compose.environment(name) if key.startswith("AWS")] == []


@pytest.mark.parametrize(("host", "status"), [("mlflow:{}", 200), ("localhost:{}", 200), ("evil.example:{}", 403)])
def test_mlflow_answers_to_its_name_and_to_no_other(compose: Compose, host: str, status: int) -> None:
    port = compose.ports["mlflow"]
    asked = Request(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=1")
    asked.add_header("Host", host.format(port))
    try:
        with urlopen(asked, timeout=30) as answer:
            code = answer.status
    except HTTPError as refused:
        code = refused.code
    assert code == status


def test_the_first_day_goes_as_its_page_says(compose: Compose) -> None:
    _, _, ask, look = blocks("first_day.md")
    assert len(json.loads(compose.script(ask))["forecasts"][0]["mean"]) == 2
    assert re.search(r"^retrain +pedestrians .* succeeded ", compose.script(look), flags=re.MULTILINE)
    given = re.findall(r"^(\w+)=.", (compose.volume(".") / ".env").read_text(), flags=re.MULTILINE)
    assert given == [*SECRETS, "MODEL"]
    (monitor,) = blocks("first_day.md", "yaml")
    (compose.volume("jobs") / "monitor.yaml").write_text(monitor)
    assert read_job(compose.volume("jobs") / "monitor.yaml").kind == "monitor"


def test_what_is_restored_forecasts_the_same(compose: Compose, postgres: sa.URL) -> None:
    def forecast() -> bytes:
        shutil.rmtree(compose.volume("work"))
        out = compose.volume("work") / "forecasts.csv"
        series = "data/pedestrian_hourly.csv.gz --name pedestrians"
        compose.script(f"docker compose run --rm scheduler forecast {series} --out mlruns/{out.name}")
        return out.read_bytes()

    *_, save, load = blocks("backup_and_restore.md")
    before, bucket = forecast(), store(compose)
    compose.script(save)
    with server(postgres).connect() as connection:
        for name in ("mlflow", "forecaster", "dagster"):
            connection.exec_driver_sql(f"drop database {name} with (force)")
            connection.exec_driver_sql(f"create database {name}")
    for one in bucket.list_objects_v2(Bucket="forecaster")["Contents"]:
        bucket.delete_object(Bucket="forecaster", Key=one["Key"])
    compose.script(load)
    assert forecast() == before
    assert "promoted" in compose.script("docker compose run --rm scheduler runs")


def test_an_upgrade_goes_as_its_page_says(compose: Compose) -> None:
    (upgrade,) = blocks("upgrade.md")
    compose.script(upgrade)


def test_the_scheduler_runs_a_job_and_keeps_its_runs_in_postgresql(compose: Compose, postgres: sa.URL) -> None:
    compose.script("docker compose run --rm scheduler schedule prepare")
    with compose.up("scheduler") as address, server(postgres.set(database="dagster")).connect() as connection:
        launched = get(f"{address}/graphql", {"query": LAUNCH})
        late = time.monotonic() + 90
        while connection.exec_driver_sql("select status from runs").scalars().all() != ["SUCCESS"]:
            assert time.monotonic() < late, (launched, (compose.folder / "scheduler.log").read_text())
            time.sleep(0.5)


@pytest.mark.needs("prometheus", "prometheus-node-exporter")
def test_the_dashboard_shows_what_prometheus_scrapes(compose: Compose) -> None:
    monitored = set(re.findall(r"forecaster_monitor_\w+", compose.config("dashboard")))
    (compose.volume("metrics") / "sales.prom").write_text("".join(f'{one}{{name="sales"}} 1\n' for one in monitored))
    told = compose.file["configs"]["prometheus"]
    told["content"] = told["content"].replace("15s", "1s")
    with compose.up("exporter"), compose.up("prometheus") as address:
        begun = time.monotonic()
        panels = json.loads(compose.config("dashboard"))["panels"]
        waiting = {target["expr"] for panel in panels for target in panel["targets"]}
        while waiting:
            assert time.monotonic() < begun + 60, waiting
            get(f"http://127.0.0.1:{compose.ports['service']}/forecast", BODY)
            for query in list(waiting):
                asked = urlencode({"query": query.replace("$__rate_interval", "30s")})
                if get(f"{address}/api/v1/query?{asked}")["data"]["result"]:
                    waiting.remove(query)
            time.sleep(0.5)
