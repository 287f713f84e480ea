"""One way to forecast: alone or in a panel, at once or observed one by one, at any horizon."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecaster.artifact import Artifact
from forecaster.errors import DataError
from forecaster.manifest import ArtifactSpec, Training
from forecaster.model import Numeric
from forecaster.spec import CoreSpec, ModelSpec, RecurrentSpec, SeasonalNaiveSpec, Task
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Table
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.forecasting.distribution import raw_forecast
from pipelines.forecasting.predict import predict
from tests.examples import Example


def panel(sizes: list[int], seed: int = 0) -> Panel:
    random = np.random.default_rng(seed)
    values = [random.normal(10, 2, size).tolist() for size in sizes]
    starts = ["2024-03-30T00:00:00"] * len(sizes)
    return panel_from_series([f"s{i}" for i in range(len(sizes))], starts, values, "h", zone="Europe/Berlin")


def artifact(model: ModelSpec, data: Panel, **task: object) -> Artifact:
    described = describe(data)
    asked = Task.model_validate({"horizon": 6, "stride": 4, "seasons": (4,), "known": len(described.calendar), **task})
    training = Training(series=len(data), observations=data.total, start=None, until=None, digest=data.digest)
    spec = ArtifactSpec(candidate="test", data=described, task=asked, model=model, training=training, packages={})
    return Artifact(spec, Example(model, asked).model().eval())


LSTM = RecurrentSpec(core=CoreSpec(cell="lstm", width=8))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8), st.integers(1, 20))
def test_a_series_alone_is_forecast_as_in_a_panel(sizes: list[int], horizon: int) -> None:
    data = panel(sizes)
    made = artifact(LSTM, data)
    together = predict(made, data, horizon)
    for i in range(len(sizes)):
        alone = predict(made, data.select([i]), horizon)
        np.testing.assert_allclose(alone.quantiles[0], together.quantiles[i], rtol=1e-5, atol=1e-5)
        assert alone.start[0] == together.start[i]


@given(st.integers(1, 30), st.integers(1, 15))
def test_observing_one_by_one_gives_the_forecast_of_the_whole_history(size: int, horizon: int) -> None:
    data = panel([size])
    made = artifact(LSTM, data)
    table = Table(data, made.spec.data, horizon)
    model = made.model
    assert isinstance(model, Numeric)
    carry, series = model.start(1), np.array([0])
    with torch.inference_mode():
        for step in range(size):
            carry = model.observe(carry, table.gather(series, np.array([step]), 1, 0, reset=False))
        known = table.gather(series, np.array([size]), 0, horizon, reset=False).known
        streamed = model.forecast(carry, horizon, known)
    whole = raw_forecast(model, made.spec.data, data, horizon)
    torch.testing.assert_close(streamed.quantiles, whole.quantiles, rtol=1e-5, atol=1e-5)


def test_a_history_longer_than_a_reading_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = panel([400, 31, 77])
    made = artifact(LSTM, data)
    whole = predict(made, data, 6).quantiles
    monkeypatch.setattr("pipelines.batches.histories.SEGMENTS", 3)
    monkeypatch.setattr("pipelines.batches.histories.LANES", 2)
    np.testing.assert_allclose(predict(made, data, 6).quantiles, whole, rtol=1e-5, atol=1e-5)


def test_the_table_of_forecasts_goes_on_where_the_series_ends_also_over_a_change_of_the_clock() -> None:
    data = panel([26])  # to 2024-03-31 01:00, an hour before the clock is put forward
    frame = predict(artifact(SeasonalNaiveSpec(), data, stride=1), data, 3, (0.1, 0.5)).frame()
    assert list(frame.columns) == ["unique_id", "ds", "mean", "q0.1", "q0.5"]
    assert [stamp.isoformat() for stamp in frame["ds"]] == [
        "2024-03-31T03:00:00+02:00",
        "2024-03-31T04:00:00+02:00",
        "2024-03-31T05:00:00+02:00",
    ]
    assert frame["mean"].tolist() == data.series(0)[-4:-1].tolist()


def test_no_paths_are_drawn_where_none_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = panel([20, 3])
    monkeypatch.setattr("pipelines.forecasting.predict.sample", None)  # a call would fail
    assert predict(artifact(LSTM, data), data, 5).paths.shape == (2, 0, 5)


def test_known_covariates_must_reach_the_horizon() -> None:
    data = panel_from_series(
        ["a"], [0], [[1.0, 2.0]], "step", known=[{"price": [1.0, 2.0, 3.0]}], known_names=["price"]
    )
    made = artifact(LSTM, data, known=1)
    assert np.isfinite(predict(made, data, 1).mean).all()
    with pytest.raises(DataError, match=r"series 'a'.*reach 1 steps ahead.*price"):
        predict(made, data, 2)


def test_a_known_covariate_moves_only_the_steps_it_belongs_to() -> None:
    def with_price(last: float) -> Panel:
        return panel_from_series(
            ["a"],
            [0],
            [[1.0, 2.0, 1.0, 3.0]],
            "step",
            known=[{"price": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, last]}],
            known_names=["price"],
        )

    made = artifact(LSTM, with_price(1.0), known=1)
    before, after = (predict(made, with_price(last), 3).quantiles[0] for last in (1.0, 2.0))
    assert np.array_equal(before[:2], after[:2])
    assert not np.array_equal(before[2], after[2])


def test_what_was_never_below_zero_is_not_forecast_there() -> None:
    counts = panel_from_series(["a", "b"], [0, 0], [[0.0, 9.0, 0.0, 1.0], [0.0, 5.0, 0.0, 2.0]], "step")
    made = artifact(LSTM, counts)
    assert made.spec.data.positive
    assert (predict(made, counts, 30, (0.001, 0.5)).quantiles >= 0).all()
    other = panel_from_series(["a", "b"], [0, 0], [[-9.0, -7.0, -8.0], [0.0, 5.0, 0.0]], "step")
    quantiles = predict(made, other, 3, (0.001, 0.5)).quantiles
    assert (quantiles[0] < 0).any(), "a series that has been below zero may be again"
    assert (quantiles[1] >= 0).all()
    assert not artifact(LSTM, other).spec.data.positive
