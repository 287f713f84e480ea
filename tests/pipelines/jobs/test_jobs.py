"""Jobs by date, through the command line where a person or a scheduler comes in."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from forecaster.errors import DataError
from pipelines.cli.app import app
from pipelines.jobs.file import read_job
from pipelines.jobs.models import Score
from pipelines.jobs.run import moment
from pipelines.jobs.training import Retrain
from pipelines.registry.fetch import resolve
from pipelines.registry.promotion import history
from pipelines.registry.versions import versions
from pipelines.tracking.connection import connect

DAYS = 240
RECIPE = {
    "summary": "A small network.",
    "model": {"kind": "recurrent", "core": {"cell": "gru", "width": 8, "layers": 1}},
    "fit": {"updates": 20, "bptt": 8},
}

Command = Callable[..., str]


def daily() -> pd.DataFrame:
    """Twelve series that follow the week: last week tells much more of the next than yesterday does."""
    rng, times = np.random.default_rng(0), pd.date_range("2024-01-01", periods=DAYS, freq="D")
    week = np.array([0, 1, 2, 3, 5, 9, 7]) * 3.0
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{i:02d}",
                "ds": times,
                "y": 50.0 + i + week[np.arange(DAYS) % 7] + rng.normal(scale=3.0, size=DAYS),
            }
        )
        for i in range(12)
    ]
    return pd.concat(frames, ignore_index=True)


def job(home: Path, **changes: object) -> Path:
    """A job file."""
    told = {
        "job": "retrain",
        "name": "sales",
        "source": {"path": "sales.csv"},
        "horizon": 7,
        "recipes": ["seasonal_naive"],
        "budget": "20s",
    }
    file = home / "job.yaml"
    file.write_text(yaml.safe_dump({key: value for key, value in (told | changes).items() if value is not None}))
    return file


@pytest.fixture
def command(home: Path) -> Command:
    """Runs `forecaster run` on a job file that is made of the changes."""

    def run(as_of: str | None = None, code: int = 0, **changes: object) -> str:
        given = ["run", str(job(home, **changes)), *(["--as-of", as_of] if as_of else [])]
        result = CliRunner().invoke(app, given)
        assert result.exit_code == code, result.output
        return result.output.strip()

    return run


def ledger() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(CliRunner().invoke(app, ["runs", "--json"]).stdout)
    return rows


def test_a_zone_that_the_champion_has_and_the_job_does_not_is_told(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    command("2024-05-01", zone="Europe/Berlin")
    told = command("2024-06-01", code=2)
    assert "the data has no time zone, and the champion, version 1, has Europe/Berlin; name the zone" in told


def test_a_retrain_is_done_once_for_a_date(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    assert "promoted: best of 1 candidates: seasonal_naive (version 1)" in command("2024-05-01")
    assert "done before, in attempt 1" in command("2024-05-01")
    (row,) = ledger()
    assert (row["job"], row["name"], row["as_of"], row["attempt"]) == ("retrain", "sales", "2024-05-01", 1)
    assert (row["outcome"], row["version"]) == ("succeeded", "1")
    assert float(str(row["seconds"])) > 0
    assert [one.version for one in versions("sales")] == ["1"]
    assert not any((home / "mlruns" / "work").iterdir())
    often = {"cron": "0 3 * * *", "start": "2024-05-01"}
    assert "done before, in attempt 1" in command("2024-05-01", budget=20, schedule=often)
    said = '{"budget": 20.0, "horizon": 7, "job": "retrain", "name": "sales", "recipes": ["seasonal_naive"], "source": '
    known = hashlib.sha256(f'{said}"sales.csv"}}'.encode()).hexdigest()
    assert row["config"] == known, "a job that was done by one release is done anew by the next"
    assert "succeeded" in CliRunner().invoke(app, ["runs"]).stdout


def test_a_better_challenger_wins_and_a_worse_one_does_not(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    command("2024-05-01", season=1)
    assert "kept: " in command("2024-05-05")  # less than a horizon is new
    (home / "own.yaml").write_text(yaml.safe_dump(RECIPE | {"model": {"kind": "recurrent", "core": {"cell": "grru"}}}))
    assert "recipe 'own': no cell is called 'grru'" in command("2024-05-06", code=2, recipes=["own.yaml"])
    won = command("2024-07-01")
    assert "promoted: best of 1 candidates: seasonal_naive; better: +" in won
    assert "kept: not better" in command("2024-08-20", season=1)
    assert [one.version for one in versions("sales") if one.champion] == ["2"]
    run = connect().get_run(versions("sales")[1].run_id)
    assert run.data.metrics["challenge.share"] > 0.01
    assert run.data.metrics["challenge.low"] > 0
    assert {"challenge.png", "challenge.json"} <= {one.path for one in connect().list_artifacts(run.info.run_id)}
    assert resolve("sales").version == "2"


def test_nothing_later_than_the_date_is_read(home: Path, command: Command) -> None:
    table = daily()
    table.to_csv(home / "sales.csv", index=False)
    command("2024-06-01", recipes=["lag_regression"])
    poisoned = table.astype({"y": object})
    poisoned.loc[table["ds"] > "2024-06-01", "y"] = 1e9
    poisoned.to_csv(home / "sales.csv", index=False)
    command("2024-06-01", recipes=["lag_regression"], name="poisoned")
    (clean,), (other,) = versions("sales"), versions("poisoned")
    assert clean.digest == other.digest


@pytest.mark.parametrize("kind", ["vanish", "appear"])
def test_series_come_and_go(home: Path, command: Command, kind: str) -> None:
    table, rest = daily(), daily().query("unique_id != 's00'")
    (table if kind == "vanish" else rest).to_csv(home / "sales.csv", index=False)
    command("2024-05-01", season=1)
    (rest if kind == "vanish" else table).to_csv(home / "sales.csv", index=False)
    assert "promoted" in command("2024-07-01")


def test_a_changed_schema_is_refused_before_anything_is_trained(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    command("2024-05-01")
    daily().assign(region="north").to_csv(home / "sales.csv", index=False)
    said = command("2024-07-01", code=2, static=["region"])
    assert "static region" in said
    assert "version 1" in said
    assert ledger()[-1]["outcome"] == "failed"
    assert "static region" in str(ledger()[-1]["reason"])
    assert len(versions("sales")) == 1


def test_a_failed_job_is_tried_again(home: Path, command: Command) -> None:
    assert "sales.csv" in command("2024-05-01", code=2)
    daily().to_csv(home / "sales.csv", index=False)
    command("2024-05-01")
    assert [(row["attempt"], row["outcome"]) for row in ledger()] == [(1, "failed"), (2, "succeeded")]


def test_train_then_promote_then_backtest_then_score(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    command("2024-05-01", season=1)
    assert "registered: seasonal_naive (version 2)" in command("2024-05-01", job="train")
    assert [one.version for one in versions("sales") if one.champion] == ["1"]
    reading = {"horizon": None, "recipes": None, "budget": None}
    assert "kept: versions 2 and 1 have seen" in command("2024-05-03", job="promote", **reading)
    assert "promoted: better" in command("2024-07-01", job="promote", **reading)
    assert history("sales")[-1].version == "2"
    assert "kept: it is the champion already" in command("2024-07-02", job="promote", **reading)
    assert "mase" in command("2024-07-01", job="backtest", windows=2, **reading)
    assert "84 rows" in command("2024-07-01", job="score", out="f.csv", **reading)
    made = pd.read_csv(home / "f.csv", parse_dates=["ds"])
    assert made["ds"].min() == pd.Timestamp("2024-07-02")


def test_what_is_ingested_night_by_night_trains_the_same_model(home: Path, command: Command) -> None:
    daily().to_csv(home / "sales.csv", index=False)
    bare = {"horizon": None, "recipes": None, "budget": None, "job": "ingest", "store": "store"}
    assert "1464 rows, 0 of them late or again" in command("2024-05-01", **bare)
    assert "12 series appeared" in command("2024-05-01", name="again", **bare)
    assert "372 rows, 12 of them late or again" in command("2024-05-31", late="1d", **bare)
    command("2024-05-31")
    command("2024-05-31", name="stored", source="store", duplicates="last")
    (straight,), (stored,) = versions("sales"), versions("stored")
    assert straight.digest == stored.digest


def test_known_covariates_reach_beyond_the_date(home: Path, command: Command) -> None:
    daily().assign(promo=lambda rows: rows.ds.dt.day % 3).to_csv(home / "sales.csv", index=False)
    command("2024-05-01", known=["promo"], recipes=["lag_regression"])
    reading = {"horizon": None, "recipes": None, "budget": None}
    assert "84 rows" in command("2024-05-01", job="score", out="f.csv", **reading)
    assert pd.read_csv(home / "f.csv")["ds"].min() == "2024-05-02"


def test_with_known_covariates_a_gap_before_the_date_is_forecast(home: Path, command: Command) -> None:
    """As where the rows end at the date: nothing of later days says that there is a gap and not an end."""
    sales = daily().assign(promo=lambda rows: rows.ds.dt.day % 3)
    sales.to_csv(home / "sales.csv", index=False)
    command("2024-04-01", known=["promo"], recipes=["lag_regression"])
    sales.loc[sales.ds.between("2024-04-29", "2024-05-01"), "y"] = np.nan
    sales.to_csv(home / "sales.csv", index=False)
    command("2024-05-01", job="score", out="f.csv", horizon=None, recipes=None, budget=None)
    assert pd.read_csv(home / "f.csv")["ds"].min() == "2024-04-29"


def test_a_weekly_model_with_known_covariates_is_used_on_any_day(home: Path, command: Command) -> None:
    weekly = daily().groupby("unique_id").head(120).assign(promo=lambda rows: rows.ds.dt.day % 3)
    weekly["ds"] = weekly.groupby("unique_id")["ds"].transform(
        lambda days: pd.date_range("2023-01-01", periods=len(days), freq="W-SUN")
    )
    weekly.to_csv(home / "sales.csv", index=False)
    told = {"horizon": 4, "season": 7, "known": ["promo"], "recipes": ["seasonal_naive"]}
    command("2024-06-05", **told)
    command("2024-06-06", job="train", **told | {"season": 1})
    reading = {"horizon": None, "recipes": None, "budget": None}
    assert "48 rows" in command("2024-06-08", job="score", out="f.csv", **reading)
    assert pd.read_csv(home / "f.csv")["ds"].min() == "2024-06-09"
    assert "mase" in command("2024-06-08", job="backtest", windows=2, **reading)
    assert "kept: versions 2 and 1 have seen" in command("2024-06-08", job="promote", **reading)


def test_where_nothing_is_left_or_steps_count_a_date_is_refused(home: Path, command: Command) -> None:
    reading = {"job": "score", "out": "f.csv", "horizon": None, "recipes": None, "budget": None}
    told = {"known": ["promo"], "recipes": ["seasonal_naive"]}
    sales = daily().assign(promo=1)
    sales.to_csv(home / "sales.csv", index=False)
    command("2024-05-01", **told)
    early = command("2023-12-31", code=2, **reading)
    assert "sales.csv: no row is as early as 2023-12-31; give a later as-of" in early
    sales.assign(ds=sales.groupby("unique_id").cumcount()).to_csv(home / "sales.csv", index=False)
    command("100", **told | {"name": "steps"})
    refused = command("2024-05-01", code=2, **reading | {"name": "steps"})
    assert "ds counts integer steps and the as-of is 2024-05-01; give an integer" in refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"job": "retire"}, "job.yaml, job: 'retire' is none of 'ingest', 'train', "),
        ({"horizons": 7}, "job.yaml: there is no 'horizons'; choose from as_of, budget, "),
        ({"name": "../x"}, "job.yaml, name: a name has"),
        ({"horizon": 0}, "job.yaml, horizon: "),
        ({"budget": "soon", "season": 0}, "job.yaml, budget: 'soon' is no duration such as 90s, 5m, 1.5h or 2d; seas"),
        ({"zone": "Australia/Melburne"}, "job.yaml, zone: unknown time zone 'Australia/Melburne'; name one"),
        ({"source": {"file": "a.csv"}}, "job.yaml, source: there is no 'file'; choose from path, query, "),
        ({"source": 3}, "job.yaml, source: write a path, or a mapping"),
        ({"schedule": "0 3 * * *"}, "job.yaml, schedule: write a mapping"),
        ({"recipes": "gru"}, "job.yaml, recipes: write a list"),
    ],
)
def test_a_wrong_job_file_is_refused_by_file_and_key(home: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as error:
        read_job(job(home, **changes))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no job; write a mapping"),
        ("- job: train", "no job; write a mapping"),
        ("{{", "no job can be read"),
        ("a: [1", r"no job can be read: line 1, column 6: while parsing a flow sequence, expected ',' or '\]'"),
        ("job: train\nhorizon: 7\nhorizon: 14\n", "no job can be read: line 3, column 1: 'horizon' is there twice"),
        ("job: train\nsource: a.csv\nname: 2024-01-31\n", "name: write text, in quotes where it could be taken"),
    ],
)
def test_a_file_that_is_no_job_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(DataError, match=told) as error:
        read_job(tmp_path / "job.yaml")
    assert "job.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_dates_and_numbers_in_a_job_file_are_words(home: Path) -> None:
    (home / "dated.yaml").write_text(job(home).read_text() + "as_of: 2024-05-01\n")
    told = read_job(home / "dated.yaml")
    assert isinstance(told, Retrain)
    assert told.as_of == "2024-05-01"
    (home / "score.yaml").write_text("{job: score, source: {path: sales.csv}, out: {path: f.csv}, version: 1}")
    told = read_job(home / "score.yaml")
    assert isinstance(told, Score)
    assert told.version == "1"


def test_one_date_has_one_form() -> None:
    assert moment("2024-05-01T00:00:00") == moment("2024-05-01") == "2024-05-01"
    assert moment("2024-05-01T06:00") == "2024-05-01T06:00:00"
    assert moment("2024-05") == "2024-05-01"
    steps = ("12", "-3", "007", "12345678", "20240501")
    assert [moment(step) for step in steps] == ["12", "-3", "7", "12345678", "20240501"]
    with pytest.raises(DataError, match="no time"):
        moment("yesterday")


def test_killed_at_ten_moments_it_ends_with_the_same_champion_and_weights(home: Path, tmp_path: Path) -> None:
    (home / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    daily().to_csv(home / "sales.csv", index=False)
    calm = job(home, name="calm", recipes=["small.yaml"], budget="10m")
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "pipelines", "run", str(calm), "--as-of", "2024-06-01"], check=True)
    whole = time.monotonic() - began
    shaken = job(home, name="shaken", recipes=["small.yaml"], budget="10m")
    again = [sys.executable, "-m", "pipelines", "run", str(shaken), "--as-of", "2024-06-01"]
    moments = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(again, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True)
        time.sleep(moments.uniform(0.1, 0.9) * whole)
        process.kill()
        process.wait()
    subprocess.run(again, check=True)
    (one,), (other,) = versions("calm"), versions("shaken")
    assert other.champion
    assert one.digest == other.digest
    outcomes = [row["outcome"] for row in ledger() if row["name"] == "shaken"]
    assert outcomes[-1] == "succeeded"
    assert outcomes.count("succeeded") == 1
