"""Figures show what they are given, on axes of their own, whatever is missing in it."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from matplotlib.image import imread

from forecaster.quantiles import LEVELS
from pipelines.evaluation import figures

lengths = st.integers(1, 60)
values = st.floats(-1e6, 1e6) | st.just(np.nan)


def pixels(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(imread(io.BytesIO(file.getvalue())))


def curves(figure: Figure) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in figure.axes[0].lines}


def fan(history: int, horizon: int, times: pd.DatetimeIndex | np.ndarray, levels: tuple[float, ...] = LEVELS) -> Figure:
    quantiles = np.arange(horizon)[:, None] + np.asarray(levels)
    return figures.fan(np.arange(history, dtype=float), np.arange(horizon) + 0.4, quantiles, levels, times, "a")


def test_a_fan_has_history_actual_median_and_a_band_for_each_interval() -> None:
    figure = fan(10, 5, pd.date_range("2024-01-01", periods=15, freq="D"))
    shown = curves(figure)
    assert shown["observed"].tolist() == [*range(10), 0.4, 1.4, 2.4, 3.4, 4.4]
    assert shown["median forecast"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert len(figure.axes[0].collections) == len(LEVELS) // 2
    assert "95% interval" in {str(band.get_label()) for band in figure.axes[0].collections}
    assert figure.axes[0].get_title(loc="left") == "a"


def test_a_fan_tells_the_time_of_the_zone_and_goes_through_its_hours_once() -> None:
    times = pd.date_range("2024-04-07 00:00", periods=6, freq="h", tz="Australia/Melbourne")  # 02:00 comes twice
    figure = fan(3, 3, times)
    figure.canvas.draw()
    line = figure.axes[0].lines[-1]
    assert (np.diff(np.asarray(line.get_xdata()).astype("datetime64[m]").astype(int)) == 60).all()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert "04:00" in labels
    assert "18:00" not in labels


def test_bands_are_only_of_levels_that_mirror_each_other() -> None:
    assert len(fan(3, 3, np.arange(6), (0.1, 0.5, 0.8)).axes[0].collections) == 0
    assert len(fan(3, 3, np.arange(6), (0.1, 0.5, 0.9)).axes[0].collections) == 1


@given(history=lengths, horizon=lengths, data=st.data())
def test_a_fan_is_drawn_whatever_is_missing(history: int, horizon: int, data: st.DataObject) -> None:
    past, actual = (data.draw(arrays(np.float64, n, elements=values)) for n in (history, horizon))
    quantiles = np.sort(data.draw(arrays(np.float64, (horizon, 3), elements=values)), axis=-1)
    figure = figures.fan(past, actual, quantiles, (0.1, 0.5, 0.9), np.arange(history + horizon), "a")
    assert np.array_equal(curves(figure)["observed"], np.concatenate([past, actual]), equal_nan=True)


def test_coverage_is_beside_its_nominal_share() -> None:
    figure = figures.coverage_by_step({0.95: np.array([0.9, 1.0]), 0.8: np.array([0.85, np.nan])})
    shown = curves(figure)
    assert np.array_equal(shown["of the 80% interval"], [0.85, np.nan], equal_nan=True)
    assert shown["of the 95% interval"].tolist() == [0.9, 1.0]
    assert {0.8, 0.95} <= {float(np.asarray(line.get_ydata())[0]) for line in figure.axes[0].lines}


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_coverage_never_leaves_the_axes(share: float) -> None:
    low, high = figures.coverage_by_step({0.8: np.array([share, share])}).axes[0].get_ylim()
    assert low <= share <= high
    assert low <= 0.8 <= high


def test_the_best_validation_is_marked() -> None:
    shown = curves(figures.loss_curve([3.0, 2.0, 1.0], [3.0, 2.5, 2.8]))
    assert shown["training loss"].tolist() == [3.0, 2.0, 1.0]
    assert shown["best: epoch 1"].tolist() == [2.5]


def test_without_validation_there_is_only_the_loss() -> None:
    assert set(curves(figures.loss_curve([1.0], [np.nan]))) == {"training loss"}


def test_the_best_candidate_comes_first_and_one_that_is_unknown_last() -> None:
    by_step = {
        "naive": np.array([1.0, 1.0]),
        "none": np.array([np.nan, np.nan]),
        "lstm": np.array([0.5, 0.6]),
    }
    figure = figures.metric_by_step(by_step, "sMAPE")
    assert list(curves(figure)) == ["lstm", "naive", "none"]
    assert figure.axes[0].get_ylabel() == "sMAPE"


@pytest.mark.parametrize("candidates", [1, 12])
def test_any_number_of_candidates(candidates: int) -> None:
    figure = figures.metric_by_step({f"candidate {k}": np.full(3, float(k)) for k in range(candidates)}, "MASE")
    assert len(curves(figure)) == candidates


def test_a_fading_gradient_has_a_curve_for_each_part_beside_what_counts_as_gone() -> None:
    figure = figures.fading({"0.hidden": np.array([1.0, 0.1, 0.0]), "0.cell": np.array([1.0, 0.9, 0.8])}, 0.01)
    shown = curves(figure)
    assert shown["0.hidden"].tolist() == [1.0, 0.1, 0.0]
    assert shown["1%"].tolist() == [0.01, 0.01]
    assert np.asarray(figure.axes[0].lines[1].get_xdata()).tolist() == [1, 2, 3]
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize(
    "figure",
    [
        fan(40, 12, pd.date_range("2024-01-01", periods=52, freq="h")),
        fan(1, 1, np.arange(2)),
        figures.coverage_by_step({0.8: np.array([0.8])}),
        figures.loss_curve([2.0, 1.0], [2.0, 1.5]),
        figures.metric_by_step({"lstm": np.array([0.5])}, "MASE"),
        figures.fading({"0.hidden": np.array([1.0, 0.1, 0.0])}, 0.01),
    ],
    ids=["fan", "smallest fan", "coverage", "loss", "metric", "fading"],
)
def test_a_picture_is_drawn(figure: Figure) -> None:
    picture = pixels(figure)
    assert picture.shape[0] > 300
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10
