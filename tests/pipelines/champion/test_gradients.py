"""`forecaster gradients`: how far back a trained network's gradient reaches, printed and in MLflow."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from typer.testing import CliRunner

from forecaster.build import build
from forecaster.errors import DataError
from forecaster.gradients import GONE
from forecaster.spec import CoreSpec, RecurrentSpec, SeasonalNaiveSpec, Task
from forecaster.state import part, parts
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Table
from pipelines.champion.gradients import Decay, measure
from pipelines.cli.app import app
from pipelines.data.doors import panel_from_frame
from tests.pipelines.conftest import make_artifact, steps


def series(lengths: tuple[int, ...]) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": range(n), "y": 10 + random.normal(size=n).cumsum()})
        for i, n in enumerate(lengths)
    ]
    return pd.concat(frames, ignore_index=True)


def test_a_trained_network_is_measured_printed_and_kept(home: Path) -> None:
    file = home / "series.csv"
    series((60, 60)).to_csv(file, index=False)
    train = ["train", str(file), "--horizon", "4", "--season", "1", "--recipe", "elman", "--budget", "1s"]
    assert CliRunner().invoke(app, train).exit_code == 0
    result = CliRunner().invoke(app, ["gradients", str(file), "--steps", "30"])
    assert result.exit_code == 0, result.output
    assert re.search(r"steps back +0.hidden +1.hidden\n1 +1.00e\+00 +1.00e\+00\n2 ", result.output)
    assert "mean of 2 series; a recurrent step reads 1 observations" in result.output

    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("forecaster")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'gradients'")
    points = {p.step: p.value for p in client.get_metric_history(run.info.run_id, "gradient.0.hidden")}
    assert list(points) == list(range(1, 31))
    reach = run.data.metrics["reach.0.hidden"]
    assert points[int(reach)] < GONE * points[1] <= points[int(reach) - 1]
    assert f"0.hidden {reach:.0f}" in result.output
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["gradients.png"]
    assert run.data.params["candidate"] == "elman"


def test_it_is_the_mean_over_the_series_of_the_gradient_of_each_ones_own_loss() -> None:
    panel = panel_from_frame(series((40, 50, 60)))
    task, data = Task(horizon=4, stride=2), describe(panel)
    model = build(RecurrentSpec(core=CoreSpec(cell="gru", width=5, layers=1)), task)
    torch.nn.init.normal_(model.get_parameter("decoder.output.weight"), generator=torch.Generator().manual_seed(0))
    memory = measure(model, data, panel, 7)
    assert (memory.series, memory.stride) == (3, 2)
    expected = []
    for i, length in enumerate((40, 50, 60)):
        table, one, first = Table(panel, data), np.array([i]), length - 4 - 2 * 7
        carry = model.observe(model.start(1, 2), table.gather(one, np.array([first]), 2 * 4, 0, reset=False))
        hidden = part(carry, "core")["0.hidden"].detach().requires_grad_()
        rest = table.gather(one, np.array([first + 2 * 4]), 2 * 2, 0, reset=False)
        after = model.observe(carry | parts(core={"0.hidden": hidden}), rest)
        _, loss = model.loss(after, table.gather(one, np.array([length - 6]), 2, 4, reset=False))
        expected.append(torch.autograd.grad(loss, hidden)[0].norm().item())
    assert memory.norms["0.hidden"][3 - 1] == pytest.approx(np.mean(expected), rel=1e-4)


def test_series_that_are_too_short_are_left_out_or_refused() -> None:
    panel = panel_from_frame(series((9, 40, 40)))
    model = build(RecurrentSpec(core=CoreSpec(cell="gru", width=5, layers=1)), Task(horizon=4))
    torch.nn.init.ones_(model.get_parameter("decoder.output.weight"))
    memory = measure(model, describe(panel), panel, 100)
    assert memory.series == 2
    assert memory.norms["0.hidden"].shape == (36,)
    with pytest.raises(DataError, match="too short for a loss; give 5 observations or more"):
        measure(model, describe(panel), panel.cut(np.array([4, 4, 4])), 100)


def test_a_network_that_has_not_learned_to_use_its_state_is_refused() -> None:
    panel = panel_from_frame(series((40,)))
    model = build(RecurrentSpec(core=CoreSpec(width=5)), Task(horizon=4))  # its output is still zero
    with pytest.raises(DataError, match="does not depend on the state; train"):
        measure(model, describe(panel), panel, 100)


def test_a_model_without_a_recurrent_state_ends_in_one_line(tmp_path: Path) -> None:
    file, folder = tmp_path / "series.csv", tmp_path / "naive"
    steps().to_csv(file, index=False)
    make_artifact(folder, panel_from_frame(steps()), model=SeasonalNaiveSpec())
    result = CliRunner().invoke(app, ["gradients", str(file), "--model", str(folder)])
    assert result.exit_code == 2
    assert "error: SeasonalNaive has no recurrent state" in result.output


def test_the_printed_table_says_where_a_gradient_lives_to_the_end() -> None:
    memory = Decay({"0.hidden": 0.1 ** np.arange(4), "0.cell": np.ones(4)}, series=5, stride=24)
    assert str(memory).splitlines() == [
        "steps back  0.hidden   0.cell",
        "1           1.00e+00 1.00e+00",
        "2           1.00e-01 1.00e+00",
        "3           1.00e-02 1.00e+00",
        "4           1.00e-03 1.00e+00",
        "under 1% at step back: 0.hidden 4, 0.cell > 4",
        "mean of 5 series; a recurrent step reads 24 observations",
    ]
