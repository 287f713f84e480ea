"""The autoregressive cell against least squares."""

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from torch import Tensor

from forecaster.cells.ar import Autoregressive

COEFFICIENTS = (0.3, -0.5, 0.6)
"""Of the values one, two and three steps before; all roots lie inside the unit circle."""


def ar3(length: int) -> Tensor:
    random = np.random.default_rng(0)
    values = [0.0, 0.0, 0.0]
    for noise in random.normal(size=length):
        values.append(1.0 + sum(a * values[-k - 1] for k, a in enumerate(COEFFICIENTS)) + noise)
    return torch.tensor(values[3:], dtype=torch.float64)


def test_trained_by_gradient_it_is_least_squares() -> None:
    order, series = 3, ar3(400)
    torch.manual_seed(0)
    cell = Autoregressive(1, 1, order=order).double()
    xs, ahead = series[None, :-1, None], series[order:]

    def error() -> Tensor:
        _, features = cell.scan(cell.initial(1), xs)
        loss = (features[0, order - 1 :, 0] - ahead).square().mean()
        optimizer.zero_grad()
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS(cell.parameters(), max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe")
    optimizer.step(error)
    lags = np.lib.stride_tricks.sliding_window_view(series[:-1].numpy(), order)
    reference = LinearRegression().fit(lags, ahead.numpy())
    weight, bias = (parameter.detach().numpy() for parameter in cell.parameters())
    np.testing.assert_allclose(weight[0], reference.coef_, atol=1e-4)
    np.testing.assert_allclose(bias[0], reference.intercept_, atol=1e-4)
    np.testing.assert_allclose(weight[0, ::-1], COEFFICIENTS, atol=0.15)  # the oldest comes first


def test_nothing_before_the_last_inputs_counts() -> None:
    cell = Autoregressive(2, 3, order=4, hidden=5)
    xs = torch.randn(1, 10, 2, generator=torch.Generator().manual_seed(0))
    other = torch.cat([xs[:, :3] + 5, xs[:, 3:]], 1)
    (_, one), (_, two) = cell.scan(cell.initial(1), xs), cell.scan(cell.initial(1), other)
    assert torch.equal(one[:, 6:], two[:, 6:])
    assert not torch.isclose(one[:, :6], two[:, :6]).all(-1).any()


def test_the_markov_model_has_no_state() -> None:
    assert Autoregressive(2, 3, order=1).initial(4)["queue"].numel() == 0


def test_a_linear_map_is_linear_and_a_network_is_not() -> None:
    xs = torch.randn(1, 1, 2, generator=torch.Generator().manual_seed(0))
    for hidden, linear in ((0, True), (6, False)):
        cell = Autoregressive(2, 3, order=1, hidden=hidden)
        at = [cell.scan(cell.initial(1), k * xs)[1] for k in (0, 1, 2)]
        assert torch.allclose(at[2] - at[1], at[1] - at[0], atol=1e-6) == linear
