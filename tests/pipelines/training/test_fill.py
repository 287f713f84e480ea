"""Gaps are filled: what interpolation says, what is hidden to learn from, and the whole road on real series."""

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from typer.testing import CliRunner

from forecaster.build import build_filler
from forecaster.quantiles import LEVELS
from forecaster.spec import CoreSpec, RecurrentSpec
from pipelines.batches.covariates import describe
from pipelines.batches.gaps import Gaps, draw, guesses, lengths
from pipelines.cli.app import app
from pipelines.cli.demo import sample
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.forecasting.restore import Units, tell

seeds = st.integers(0, 2**16)


def panel(seed: int = 0, missing: float = 0.3, count: int = 3) -> Panel:
    """Random walks of different lengths with gaps; the last one is all missing."""
    random = np.random.default_rng(seed)
    values = [random.normal(0, 1, 20 + 13 * i).cumsum() for i in range(count)]
    values = [np.where(random.random(len(one)) < missing, np.nan, one) for one in values] + [np.full(5, np.nan)]
    lists = [[None if np.isnan(x) else float(x) for x in one] for one in values]
    return panel_from_series([f"s{i}" for i in range(count + 1)], [0] * (count + 1), lists, "step")


def gaps(made: Panel, time: int = 16) -> Gaps:
    return Gaps(made, describe(made), (7,), like=lengths(made), lanes=4, time=time, seed=0)


@given(seed=seeds)
def test_guesses_are_the_interpolations_of_pandas(seed: int) -> None:
    made = panel(seed)
    frame = made.frame()
    found = guesses(made, made.values, (7,))

    def line(y: pd.Series) -> pd.Series:
        return y.interpolate(limit_direction="both")

    linear = frame.groupby("unique_id")["y"].transform(line)
    seasonal = frame.groupby(["unique_id", frame["ds"] % 7])["y"].transform(line)
    np.testing.assert_allclose(found[:, 0], linear.fillna(0.0))
    np.testing.assert_allclose(found[:, 1], seasonal.fillna(linear).fillna(0.0))


def test_lengths_of_gaps() -> None:
    lists: list[list[float | None]] = [[None, 1.0, None, None, 2.0, None], [None, None, None, 3.0], [1.0]]
    assert lengths(panel_from_series(["a", "b", "c"], [0] * 3, lists, "step")).tolist() == [1, 2, 1, 3]
    assert len(lengths(panel_from_series(["a"], [0], [[1.0]], "step"))) == 0


@given(seed=seeds, share=st.floats(0.01, 0.9), length=st.integers(1, 50))
def test_hidden_values_are_known_ones_and_at_most_half_of_a_series(seed: int, share: float, length: int) -> None:
    made, random = panel(seed), np.random.default_rng(seed)
    hidden = draw(made, np.array([length]), share, random)
    known = ~np.isnan(made.values)
    assert known[hidden].all()
    for i in range(len(made)):
        part = slice(made.indptr[i], made.indptr[i + 1])
        assert 2 * hidden[part].sum() <= known[part].sum()


def test_hidden_stretches_are_as_long_and_as_many_as_asked_for() -> None:
    whole = panel_from_series(["a", "b"], [0, 0], [[1.0] * 5000, [1.0] * 5000], "step")
    hidden = draw(whole, np.array([1, 1, 7]), 0.1, np.random.default_rng(0))
    assert 0.08 < hidden.mean() < 0.12
    found = lengths(
        panel_from_series(
            ["a", "b"], [0, 0], [[None if h else 1.0 for h in part] for part in np.split(hidden, 2)], "step"
        )
    )
    assert 0.55 < (found == 1).mean() < 0.75
    assert 0.2 < (found == 7).mean() < 0.4


def test_batches_hide_other_values_in_each_epoch_and_show_the_rest() -> None:
    made = panel()
    data = gaps(made)
    batches = list(data.epoch(3))
    assert all(torch.equal(one.known, other.known) for one, other in zip(batches, data.epoch(3), strict=True))
    assert not torch.equal(batches[0].known, next(data.epoch(4)).known)
    known = set(made.values[~np.isnan(made.values)])
    for batch in batches:
        seen, hidden = ~batch.target.isnan(), ~batch.future.isnan()
        assert not (seen & hidden).any()
        assert {*batch.target[seen].tolist(), *batch.future[hidden].tolist()} <= known
        assert batch.target.shape == (4, 16)
    assert sum((~batch.future.isnan()).sum() for batch in batches) > 50


@given(seed=seeds, time=st.sampled_from([4, 16, 100]))
def test_every_step_is_told_in_its_place(seed: int, time: int) -> None:
    """A network that has learned nothing says the mean of the guesses, wherever the windows begin and end."""
    made = panel(seed)
    model = build_filler(RecurrentSpec(core=CoreSpec(width=4, layers=1), context=1), guesses=2, known=0)
    at = np.random.default_rng(seed).random(made.total) < 0.5
    told = tell(model, gaps(made, time), made.values, at)
    expected = guesses(made, made.values, (7,))[at].mean(1)
    np.testing.assert_allclose(told.quantiles[:, 0, LEVELS.index(0.5)], expected, rtol=1e-5, atol=1e-5)


@given(seed=seeds)
def test_units_and_back(seed: int) -> None:
    made = panel(seed)
    units, known = Units.of(made), ~np.isnan(made.values)
    small = units.small(made.values)
    np.testing.assert_allclose(units.large(small[known, None], known)[:, 0], made.values[known])
    assert np.isnan(small[~known]).all()
    for i in range(3):
        part = small[made.indptr[i] : made.indptr[i + 1]]
        np.testing.assert_allclose([np.nanmean(part), np.nanmean(np.abs(part))], [0, 1], atol=1e-9)
    assert not units.level[made.indptr[3] :].any()
    assert not units.scale[made.indptr[3] :].any()


def test_a_constant_series_has_no_scale() -> None:
    made = panel_from_series(["a"], [0], [[7.0, None, 7.0]], "step")
    units = Units.of(made)
    np.testing.assert_array_equal(units.small(made.values), [0.0, np.nan, 0.0])
    np.testing.assert_array_equal(units.large(np.ones((1, 3)), np.isnan(made.values)), [[7.0, 7.0, 7.0]])


def cli(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["fill", *arguments])
    return result.exit_code, result.output


def walkers(hours: int) -> pd.DataFrame:
    """The first hours of two street sensors, without the few that are missing."""
    frame = pd.read_csv(sample())
    frame = frame[frame["unique_id"].isin(sorted(frame["unique_id"].unique())[1:3])]
    return frame.groupby("unique_id").head(hours).dropna().reset_index(drop=True)


def test_days_that_are_missing_in_hours_are_filled_better_than_by_a_line(home: Path) -> None:
    """Real series in which days were hidden, beside a series that begins and ends with gaps, and one of gaps only."""
    truth = walkers(3000)
    random = np.random.default_rng(0)
    missing = np.zeros(len(truth), dtype=bool)
    for begin in random.integers(100, len(truth) - 100, 25):
        missing[begin : begin + 24] = True
    short = pd.DataFrame({"unique_id": "short", "ds": truth["ds"][:60], "y": np.arange(60.0) % 24})
    short.loc[[*range(5), 20, *range(50, 60)], "y"] = np.nan
    nothing = short.assign(unique_id="nothing", y=np.nan)
    constant = short.assign(unique_id="constant", y=short["y"] * 0 + 3)
    data = pd.concat([truth.assign(y=truth["y"].mask(missing)), short, nothing, constant])
    data.to_csv(home / "walkers.csv", index=False)

    code, printed = cli(
        str(home / "walkers.csv"), "--out", str(home / "out.csv"), "--budget", "8s", "--name", "walkers"
    )
    assert code == 0, printed
    assert "series 'nothing' has no observed value and stays empty" in printed
    out = pd.read_csv(home / "out.csv")
    assert list(out.columns) == ["unique_id", "ds", "y", "filled", "q0.1", "q0.9"]
    both = data.merge(out, on=["unique_id", "ds"], suffixes=("", "_filled"))
    assert len(both) == len(data)
    known = both["y"].notna()
    assert (both["y"] == both["y_filled"])[known].all()
    assert not both.loc[known, "filled"].any()
    assert both.loc[known, ["q0.1", "q0.9"]].isna().all(axis=None)
    gone = ~known & (both["unique_id"] != "nothing")
    assert both.loc[gone, "filled"].all()
    assert np.isfinite(both.loc[gone, ["y_filled", "q0.1", "q0.9"]]).all(axis=None)
    assert ((both["q0.1"] <= both["y_filled"]) & (both["y_filled"] <= both["q0.9"]))[gone].all()
    assert (both.loc[gone, "q0.1"] >= 0).all(), "nobody has ever counted fewer than none"
    assert (both.loc[gone, ["y_filled", "q0.1", "q0.9"]] % 1 == 0).all(axis=None), "nor a part of one"
    still = gone & (both["unique_id"] == "constant")
    assert np.allclose(both.loc[still, ["y_filled", "q0.1", "q0.9"]], 3.0)
    assert out.loc[out["unique_id"] == "nothing", "y"].isna().all()

    streets = truth.merge(out, on=["unique_id", "ds"], suffixes=("", "_filled"))
    line = truth["y"].mask(missing).interpolate()
    error = (streets["y_filled"] - truth["y"]).abs()[missing].mean()
    assert error < 0.5 * (line - truth["y"]).abs()[missing].mean()
    inside = (truth["y"] >= streets["q0.1"]) & (truth["y"] <= streets["q0.9"])
    assert 0.65 < inside[missing].mean() < 0.95

    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("walkers")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "fill"
    assert run.info.status == "FINISHED"
    assert run.data.metrics["mae"] < run.data.metrics["mae_linear"]
    assert {"mae_season_24", "coverage_80", "loss", "filled"} <= set(run.data.metrics)
    assert not any((home / "mlruns" / "work").iterdir())


def test_without_gaps_nothing_is_trained(home: Path) -> None:
    walkers(100).to_csv(home / "whole.csv", index=False)
    code, printed = cli(str(home / "whole.csv"), "--out", str(home / "out.parquet"))
    assert (code, printed.split(" in ")[0]) == (0, "0 of 200 rows filled")
    assert not pd.read_parquet(home / "out.parquet")["filled"].any()


def test_where_a_line_is_better_it_is_said(home: Path) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": range(200), "y": np.arange(200.0) + 0.5})
    frame.loc[frame["ds"] % 9 == 4, "y"] = np.nan
    frame.to_csv(home / "line.csv", index=False)
    code, printed = cli(str(home / "line.csv"), "--out", str(home / "out.csv"), "--budget", "1s")
    assert code == 0, printed
    assert "interpolation along a line told hidden values better: fill by that, or train for longer" in printed


def test_two_values_are_enough_for_a_recipe_of_ones_own(home: Path) -> None:
    pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [1.0, None, None, 4.0]}).to_csv(home / "tiny.csv", index=False)
    (home / "own.yaml").write_text((resources.files("pipelines.recipes") / "bidirectional.yaml").read_text())
    code, printed = cli(
        str(home / "tiny.csv"), "--out", str(home / "out.csv"), "--budget", "1s", "--recipe", "own.yaml"
    )
    assert code == 0, printed
    assert pd.read_csv(home / "out.csv")["y"].round(1).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_what_cannot_be_written_is_not_trained_again(home: Path) -> None:
    pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [1.0, None, None, 4.0]}).to_csv(home / "tiny.csv", index=False)
    (home / "out.csv").mkdir()
    command = [str(home / "tiny.csv"), "--out", str(home / "out.csv"), "--budget", "1s"]
    code, printed = cli(*command)
    assert (code, "out.csv: " in printed) == (2, True)
    (work,) = (home / "mlruns" / "work").iterdir()
    done = {file: file.read_bytes() for file in work.rglob("*") if file.is_file()}
    assert done
    assert cli(*command)[0] == 2
    assert {file: file.read_bytes() for file in done} == done
    (home / "out.csv").rmdir()
    assert cli(*command)[0] == 0
    assert not any((home / "mlruns" / "work").iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "out.txt"], "end it with .csv or .parquet"),
        (["--out", "out.csv", "--recipe", "lstm"], "both directions"),
        (["--out", "out.csv", "--recipe", "both"], "no recipe is called 'both'"),
        (["--out", "out.csv", "--recipe", "wild.yaml"], "recipe 'wild.yaml': the training diverges in epoch 0"),
    ],
)
def test_mistakes_end_in_one_line(arguments: list[str], told: str, home: Path) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [1.0, None, 3.0, 4.0]})
    frame.to_csv(home / "tiny.csv", index=False)
    own = (resources.files("pipelines.recipes") / "bidirectional.yaml").read_text()
    (home / "wild.yaml").write_text(own.replace("bptt: 28", "bptt: 28, learning_rate: 1.0e+30"))
    code, printed = cli(str(home / "tiny.csv"), *arguments)
    assert code == 2
    assert told in printed
    assert printed.startswith("error: ")


@pytest.mark.parametrize("gap", ["idle", None])
def test_labels_are_refused_and_nothing_is_written(gap: str | None, home: Path) -> None:
    """They would come back as the numbers of their codes, with gaps or without."""
    frame = pd.DataFrame({"unique_id": "a", "ds": range(4), "y": [None, "busy", gap, "busy"]})
    frame.to_csv(home / "states.csv", index=False)
    code, printed = cli(str(home / "states.csv"), "--out", str(home / "out.csv"))
    assert (code, printed) == (2, "error: series 'a', ds 1: y is 'busy', and only numbers are filled; give numbers\n")
    assert not (home / "out.csv").exists()
