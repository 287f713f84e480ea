"""The job from a trained model to a report, an alarm and an exit code."""

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from pipelines.cli.app import app
from pipelines.data.doors import panel_from_frame
from pipelines.forecasting.predict import predict
from pipelines.monitoring.alert import TOLD, address
from pipelines.monitoring.drift import drift
from pipelines.monitoring.kept import rows, write_part
from pipelines.monitoring.monitor import monitor
from pipelines.monitoring.promises import promises
from pipelines.monitoring.settings import MonitorSettings
from pipelines.registry.fetch import resolve
from pipelines.registry.versions import versions
from pipelines.runs.events import Events
from pipelines.runs.ledger import open_ledger
from pipelines.tracking.connection import connect
from pipelines.training.job import run
from pipelines.training.settings import TrainSettings
from tests.pipelines.processes import free_port

DAYS, LIVE = 50, 14
KEPT, SAME, DOUBLE = Path("kept"), Path("same.csv"), Path("double.csv")


def world(days: int, wild: float) -> pd.DataFrame:
    """Two shops, one with a pattern by the hour; from the end of training on the noise is `wild` times as large."""
    drawn, hours = np.random.default_rng(1), np.arange(24 * days)
    noise = np.where(hours < 24 * (DAYS - LIVE), 1.0, wild)
    shops = {"north": 100 + 10 * np.sin(hours * np.pi / 12), "south": np.full(len(hours), 50.0)}
    ds = pd.date_range("2024-03-01", periods=len(hours), freq="h", tz="Europe/Berlin")  # summer begins in training
    frames = [
        pd.DataFrame({"unique_id": name, "ds": ds, "y": y + noise * drawn.normal(size=len(y)), "region": name[:1]})
        for name, y in shops.items()
    ]
    return pd.concat(frames)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Path]:
    """A champion trained up to a day, its forecasts of two weeks from each midnight, and two ways the world went on."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "mlruns").mkdir()
    shutil.copy(empty_database, folder / "mlruns" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        past = 24 * (DAYS - LIVE)
        world(DAYS, 1.0).to_csv(SAME, index=False)
        world(DAYS, 3.0).to_csv(DOUBLE, index=False)
        world(DAYS, 1.0).groupby("unique_id").head(past).to_csv("train.csv", index=False)
        task = {"source": "train.csv", "horizon": 24, "name": "shop", "zone": "Europe/Berlin"}
        run(TrainSettings.model_validate(task | {"recipes": ("seasonal_naive",), "budget": 1}))
        champion = resolve("shop")
        model = load_artifact(champion.folder)
        for kept, wild in ((KEPT, 1.0), (Path("wild"), 3.0)):
            full = panel_from_frame(world(DAYS, wild), zone="Europe/Berlin")
            for day in range(LIVE):
                made = predict(model, full.cut(np.full(2, past + 24 * day)), 24, (0.1, 0.5, 0.9))
                write_part(kept, [rows(made, "shop", champion.version, datetime.now(UTC), zone="Europe/Berlin")])
        yield folder


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A webhook, and what it was told."""
    told: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()
        thread.join()


def settings(forecasts: Path = KEPT, actuals: Path = SAME, **fields: object) -> MonitorSettings:
    return MonitorSettings.model_validate({"forecasts": forecasts, "source": actuals, "name": "shop", **fields})


def test_what_was_promised_is_what_the_backtest_found(shop: Path) -> None:
    (one,) = versions("shop")
    table = promises("shop", [one.version]).table
    assert promises("shop", []).table.empty
    assert table["version"].tolist() == [one.version] * 24
    assert table["step"].tolist() == list(range(1, 25))
    assert table["promised_error"].mean() == pytest.approx(one.metrics["mase"], rel=1e-6)
    assert table["promised_coverage"].mean() == pytest.approx(one.metrics["coverage_80"], rel=1e-6)
    assert table["promised_bias"].notna().all()


def test_all_is_as_promised(shop: Path) -> None:
    report = monitor(settings(report=shop / "out" / "a.html", metrics=shop / "out" / "a.prom"))
    assert report.breaches == ()
    assert not report.reasons
    assert report.overall["forecasts"] == report.overall["due"] == 2 * 24 * LIVE
    assert report.overall["error"] == pytest.approx(report.overall["promised_error"], rel=0.2)
    assert report.overall["error"] == pytest.approx(report.overall["naive_error"])  # the champion is seasonal naive
    assert len(report.by_day) == LIVE + 1  # from one in the morning on, for the clocks went on
    assert report.by_group["group"].tolist() == ["north", "south"]
    assert report.by_step["step"].tolist() == list(range(1, 25))
    page = (shop / "out" / "a.html").read_text()
    assert "as promised, as far as " in page
    assert page.count("data:image/svg+xml;base64,") == 5
    assert "http" not in page.replace("http-equiv", "")  # it needs nothing from elsewhere
    families = {one.name: one for one in text_string_to_metric_families((shop / "out" / "a.prom").read_text())}
    for name in (*TOLD, "drift", "breaches", "timestamp_seconds"):
        (sample,) = families[f"forecaster_monitor_{name}"].samples
        assert sample.labels == {"name": "shop"}
    assert families["forecaster_monitor_error"].samples[0].value == pytest.approx(report.overall["error"])


def test_who_asks_far_ahead_blinds_nobody(shop: Path) -> None:
    """A forecast of two months was promised nothing, and does not make all others one block."""
    shutil.copytree("wild", "asked")
    champion = resolve("shop")
    past = panel_from_frame(world(DAYS, 1.0), zone="Europe/Berlin").cut(np.full(2, 24 * (DAYS - LIVE)))
    made = predict(load_artifact(champion.folder), past, 24 * 60, (0.1, 0.5, 0.9))
    write_part(Path("asked"), [rows(made, "shop", champion.version, datetime.now(UTC), zone="Europe/Berlin")])
    found = monitor(settings(Path("asked"), DOUBLE))
    assert {(one.rule, one.group) for one in found.breaches} >= {("error", "all series")}
    assert found.by_step["step"].max() == 24


def test_a_wilder_world_is_a_breach_that_everyone_is_told_of(
    shop: Path, hook: tuple[str, list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, told = hook
    monkeypatch.setenv("HOOK_TOKEN", "s3cret")
    report = monitor(settings(Path("wild"), DOUBLE, webhook=url + "/hooks/${HOOK_TOKEN}"))
    assert {(one.rule, one.group) for one in report.breaches} >= {("error", "all series")}
    (one,) = told
    assert one["path"] == "/hooks/s3cret"
    assert one["name"] == "shop"
    assert [breach.sentence for breach in report.breaches] == [dict(breach)["sentence"] for breach in one["breaches"]]  # type: ignore[attr-defined]
    assert report.reasons == tuple(breach.sentence for breach in report.breaches)
    (called,) = Events(open_ledger()).open()
    assert (called.job, called.name) == ("retrain", report.name)
    assert report.breaches[0].sentence in called.reason
    client = connect()
    experiments = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(experiments, "tags.breaches != '0'")
    assert found[0].data.metrics["breaches"] == len(report.breaches)
    assert found[0].data.metrics["error"] == pytest.approx(report.overall["error"])
    assert "webhook" not in found[0].data.params
    by_step = client.get_metric_history(found[0].info.run_id, "error_by_step")
    assert [point.step for point in by_step] == list(range(1, 25))
    days = client.get_metric_history(found[0].info.run_id, "coverage_by_day")
    first = (pd.Timestamp("2024-03-01") - pd.Timestamp(0)).days + DAYS - LIVE
    assert [point.step for point in days] == list(range(first, first + LIVE + 1))
    files = {file.path for file in client.list_artifacts(found[0].info.run_id)}
    assert {"report.html", "error_by_day.png", "coverage_by_step.png", "drift.png", "breaches.json"} <= files


@pytest.mark.parametrize("token", ["s3cret", "with a s3cret", "s3cret\r\nx"])
def test_a_dead_webhook_loses_nothing_and_shows_no_secret(
    token: str, shop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", token)
    url = f"http://127.0.0.1:{free_port()}/" + "${HOOK_TOKEN}"
    report = monitor(settings(Path("wild"), DOUBLE, webhook=url, report=shop / "dead.html"))
    assert report.breaches
    assert "breached" in (shop / "dead.html").read_text()
    assert "the webhook did not take" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("url", ["https://host/${NOT_THERE_AT_ALL}", "file:///etc/passwd", "host"])
def test_a_webhook_that_cannot_be_is_told_before_the_work(url: str) -> None:
    with pytest.raises(DataError, match="webhook"):
        address(url)


@pytest.mark.parametrize("which", ["report", "metrics"])
def test_a_folder_to_write_to_is_told_before_the_work(which: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; name a file"):
        monitor(settings(Path("wild"), DOUBLE, **{which: tmp_path}))


def test_mlflow_that_does_not_answer_loses_nothing(
    shop: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The champion is the one fetched last; what was promised is not known, and the rest is judged."""
    resolve("shop")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    report = monitor(settings(Path("wild"), DOUBLE))
    assert report.overall["forecasts"] == 2 * 24 * LIVE
    assert np.isnan(report.overall["promised_error"])
    assert report.overall["error"] > 2
    assert "MLflow was not told" in caplog.text


def test_groups_are_those_of_a_static_column(shop: Path) -> None:
    assert monitor(settings(group="region")).by_group["group"].tolist() == ["n", "s"]
    with pytest.raises(DataError, match="planet"):
        monitor(settings(group="planet"))


def test_other_versions_are_judged_where_all_are_asked_for(shop: Path) -> None:
    with pytest.raises(DataError, match="no forecasts"):
        monitor(settings(Path("nowhere")))
    table = pd.concat(pd.read_parquet(file) for file in KEPT.rglob("*.parquet"))
    Path("old").mkdir()
    table.assign(version="0").to_parquet("old/old.parquet")
    assert monitor(settings(Path("old"))).overall["due"] == 0
    every = monitor(settings(Path("old"), versions="all"))
    assert every.overall["forecasts"] == 2 * 24 * LIVE
    assert np.isnan(every.overall["promised_error"])  # of a version that is gone


def test_nothing_later_than_the_as_of_is_judged(shop: Path) -> None:
    report = monitor(settings(as_of="2024-04-10T12:00:00"))
    assert report.by_day["day"].iloc[-1] == pd.Timestamp("2024-04-10")
    assert report.overall["missing"] == 0
    assert report.by_day["forecasts"].iloc[-1] == 2 * 13


def test_of_a_version_that_was_just_promoted_nothing_is_known(shop: Path) -> None:
    kept = Path("another")
    table = pyarrow.parquet.read_table(next(KEPT.rglob("*.parquet"))).to_pandas().assign(version="0")
    kept.mkdir()
    table.to_parquet(kept / "a.parquet")
    report = monitor(settings(forecasts=kept, report=shop / "out" / "none.html"))
    assert (report.code, report.verdict) == (0, "no forecast has met its actual value yet")
    assert report.verdict in (shop / "out" / "none.html").read_text()
    table.drop(columns="model").to_parquet(kept / "a.parquet")
    with pytest.raises(DataError, match="no forecasts of 'shop' are kept here; serve with FORECASTER_KEEP"):
        monitor(settings(forecasts=kept))


def test_the_command_exits_with_three_on_a_breach(shop: Path) -> None:
    runner = CliRunner()
    fine = runner.invoke(app, ["monitor", str(KEPT), str(SAME), "--name", "shop", "--report", "r.html"])
    assert fine.exit_code == 0, fine.output
    assert "coverage" in fine.output
    bad = runner.invoke(app, ["monitor", "wild", str(DOUBLE), "--name", "shop"])
    assert bad.exit_code == 3, bad.output
    assert "where the backtest promised" in bad.output
    told = f"job: monitor\nname: shop\nforecasts: wild\nsource: {DOUBLE}\nlimits: {{naive: 9}}\n"
    Path("monitor.yaml").write_text(told)
    job = runner.invoke(app, ["run", "monitor.yaml"])
    assert job.exit_code == 3, job.output
    assert "where the backtest promised" in runner.invoke(app, ["runs", "--json"]).output


def test_unknown_settings_are_refused() -> None:
    for wrong in ({"wrong": 1}, {"limits": {"wrong": 1}}, {"versions": "some"}, {"limits": {"risk": 0}}):
        with pytest.raises(ValidationError):
            settings(**wrong)


@pytest.mark.parametrize(
    "until", ["2024-03-31 12:00+02:00", "2024-03-31T10:00:00Z", "2024-03-31 12:00", "2024-03-31 12:59"]
)
def test_drift_is_of_the_values_after_training(until: str) -> None:
    ds = pd.date_range("2024-03-31", periods=100, freq="h", tz="Europe/Berlin")
    y = np.where(np.arange(100) < 12, [1.0, 3.0] * 50, [6.0, 8.0] * 50)
    y[[3, 50, 51]] = np.nan
    full = panel_from_frame(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}))
    moved = drift(full, until)  # twelve hours, of which the clocks leave out one
    assert len(moved.before) == 11
    assert len(moved.since) == 86
    assert moved.gaps == pytest.approx(1 / 12)
    deviation = np.nanstd(y[:12], ddof=1)
    assert moved.distance == pytest.approx((np.nanmean(y[12:]) - np.nanmean(y[:12])) / deviation)
    assert moved.likely < 1e-9
    nothing = drift(full, None)
    assert np.isnan(nothing.distance)
    assert nothing.likely == 1


def test_drift_of_steps() -> None:
    full = panel_from_frame(pd.DataFrame({"unique_id": "a", "ds": np.arange(10), "y": np.arange(10.0)}))
    assert len(drift(full, "5").before) == 6
