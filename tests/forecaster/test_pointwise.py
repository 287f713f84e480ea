"""What the models without a network say, by hand."""

import math

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from forecaster.batch import Batch
from forecaster.gaps import fill_forward, mean_of_known
from forecaster.model import Numeric
from forecaster.models.linear import Linear
from forecaster.models.pointwise import SeasonalNaive
from forecaster.quantiles import LEVELS

nan = math.nan


def batch(target: list[float], future: list[float]) -> Batch:
    return Batch(
        target=torch.tensor([target], dtype=torch.float64),
        known=torch.zeros(1, len(target) + len(future), 0),
        past=torch.zeros(1, len(target), 0),
        static=torch.zeros(1, 0, dtype=torch.int64),
        reset=torch.tensor([True]),
        future=torch.tensor([future], dtype=torch.float64),
        unit=torch.ones(1, dtype=torch.float64),
    )


def point(model: Numeric, target: list[float]) -> tuple[list[float], list[float]]:
    with torch.no_grad():
        forecast = model.forecast(model.observe(model.start(1), batch(target, [])), model.horizon)
    spread = (forecast.quantiles - forecast.mean.unsqueeze(-1))[0]
    normal = torch.from_numpy(stats.norm.ppf(LEVELS))
    scale = spread[:, -1:] / normal[-1]
    assert_close(spread, scale * normal)
    return forecast.mean[0].tolist(), scale.flatten().tolist()


@pytest.mark.parametrize(
    ("target", "expected", "change"),
    [
        ([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 2.0, 3.0], 3.0),
        ([1.0, 2.0, 3.0, 4.0, nan, 6.5], [4.0, 2.0, 6.5, 4.0, 2.0], 3.25),
        ([7.0], [7.0] * 5, 0.0),
        ([nan, nan], [0.0] * 5, 0.0),
        ([5.0] + [nan] * 100, [5.0] * 5, 0.0),
    ],
)
def test_seasonal_naive(target: list[float], expected: list[float], change: float) -> None:
    """A normal deviation is sqrt(pi / 2) times its mean absolute value; a walk of two steps is sqrt(2) as wide."""
    values, spread = point(SeasonalNaive(horizon=5, season=3), target)
    assert values == expected
    one = math.sqrt(math.pi / 2) * change
    assert spread == pytest.approx([one, one, one, math.sqrt(2) * one, math.sqrt(2) * one])


def test_seasonal_naive_forgets_after_four_seasons() -> None:
    values, _ = point(SeasonalNaive(horizon=2, season=2), [1.0, 9.0, nan, 2.0, nan, 3.0, nan, 4.0, nan, 5.0])
    assert values == [5.0, 5.0]


def test_seasonal_naive_loss_by_hand() -> None:
    """From 4 on (before, nothing has moved): |6 - 4| and |9 - 4|, |9 - 6| and |1 - 6|, over the deviations."""
    model = SeasonalNaive(horizon=2, season=1)
    _, loss = model.loss(model.start(1), batch([1.0, 4.0, 6.0], [9.0, 1.0]))
    first, second, later = math.sqrt(math.pi / 2) * 3.0, math.sqrt(math.pi / 2) * 2.5, math.sqrt(2)
    errors = [2 / first, 5 / first / later, 3 / second, 5 / second / later]
    assert loss.item() == pytest.approx(sum(errors) / 4)


def test_linear_by_hand() -> None:
    """Lags 2, 4, 6: level 4, scale 4 / 3; one row of weights says "as the last lag", the other "as the first"."""
    model = Linear(horizon=2, lags=3)
    with torch.no_grad():
        model.map.weight.copy_(torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
        model.map.bias.zero_()
    values, scale = point(model, [100.0, 2.0, 4.0, 6.0])
    assert values == pytest.approx([6.0, 2.0])
    assert scale == pytest.approx([4 / 3, 4 / 3])
    assert point(model, [5.0] + [nan] * 9) == ([5.0, 5.0], [0.0, 0.0])


def test_linear_deviation_by_hand() -> None:
    """Lags 2, 4, 9, 6 have scale 9 / 4; in one step they change by 2, 5 and 3, in two by 7 and 2, which is what the
    first and the second step ahead are in the phase of, and none is known over four."""
    model = Linear(horizon=3, lags=4, changes=((1, 1), (2, 2), (4, 4)))
    with torch.no_grad():
        model.deviation.copy_(torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 3.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.5]]))
    assert point(model, [2.0, 4.0, 9.0, 6.0])[1] == pytest.approx([9 / 4 + 7, 3 * 10 / 3 + 2, 1.5 * 7])
    assert point(model, [nan, 4.0, nan, 6.0])[1] == pytest.approx([1 + 1, 3 * 1 + 2, 1.5 * 1])


def test_fill_forward() -> None:
    values = torch.tensor([[[nan, 1.0], [2.0, nan], [nan, nan], [4.0, 5.0]]], dtype=torch.float64)
    filled = fill_forward(values)
    expected = torch.tensor([[[nan, 1.0], [2.0, 1.0], [2.0, 1.0], [4.0, 5.0]]], dtype=torch.float64)
    assert torch.equal(filled.nan_to_num(-1.0), expected.nan_to_num(-1.0))


def test_mean_of_known() -> None:
    values = torch.tensor([[1e308, 1e308, nan], [nan, nan, nan], [1.0, 2.0, 6.0]], dtype=torch.float64)
    assert mean_of_known(values)[:, 0].tolist() == [1e308, 0.0, 3.0]
