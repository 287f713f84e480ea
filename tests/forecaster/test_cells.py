"""Each cell against its equations, in numpy."""

import numpy as np
import pytest
import torch
from numpy import ndarray
from torch import Tensor, nn

from forecaster.cells.fused import GRU, LSTM, Elman
from forecaster.cores.compose import Dilated
from forecaster.state import State


def sigma(x: ndarray) -> ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def case(cell: Elman | GRU | LSTM) -> tuple[list[list[ndarray]], State, ndarray, Tensor]:
    """W, U and both biases, cut into gates; a state; an input."""
    random = torch.Generator().manual_seed(1)
    for parameter in cell.double().parameters():
        nn.init.normal_(parameter, generator=random)
    gates = cell.rnn.get_parameter("weight_hh_l0").shape[0] // cell.features
    names = ("weight_hh_l0", "weight_ih_l0", "bias_ih_l0", "bias_hh_l0")
    parts = [[p.numpy() for p in cell.rnn.get_parameter(name).detach().chunk(gates)] for name in names]
    state = {name: torch.randn(1, cell.features, generator=random, dtype=torch.float64) for name in cell.initial(1)}
    x = torch.randn(1, cell.inputs, generator=random, dtype=torch.float64)
    return parts, state, x[0].numpy(), x


def test_elman() -> None:
    cell = Elman(2, 3)
    ([w], [u], [b], [c]), state, x, xs = case(cell)
    h = np.tanh(w @ state["hidden"][0].numpy() + u @ x + b + c)
    after, features = cell.step(state, xs)
    np.testing.assert_allclose(features[0].detach(), h)
    assert torch.equal(after["hidden"], features)


def test_gru() -> None:
    cell = GRU(2, 3)
    ((w_r, w_u, w), (u_r, u_u, u), (b_r, b_u, b), (c_r, c_u, c)), state, x, xs = case(cell)
    h = state["hidden"][0].numpy()
    r = sigma(w_r @ h + u_r @ x + b_r + c_r)
    update = sigma(w_u @ h + u_u @ x + b_u + c_u)
    candidate = np.tanh(r * (w @ h + c) + u @ x + b)
    after, features = cell.step(state, xs)
    np.testing.assert_allclose(features[0].detach(), (1 - update) * candidate + update * h)
    assert torch.equal(after["hidden"], features)


def test_lstm() -> None:
    lstm = LSTM(2, 3)
    (w, u, b, c), state, x, xs = case(lstm)
    h = state["hidden"][0].numpy()
    i, f, g, o = (w[k] @ h + u[k] @ x + b[k] + c[k] for k in range(4))
    cell = sigma(f) * state["cell"][0].numpy() + sigma(i) * np.tanh(g)
    after, features = lstm.step(state, xs)
    np.testing.assert_allclose(after["cell"][0].detach(), cell)
    np.testing.assert_allclose(features[0].detach(), sigma(o) * np.tanh(cell))
    assert torch.equal(after["hidden"], features)


@pytest.mark.parametrize("cell", [Elman(2, 3), GRU(2, 3), LSTM(2, 3)])
def test_kernels_get_contiguous_states(cell: Elman | GRU | LSTM) -> None:
    """cuDNN refuses others, such as one phase cut out of a queue; a CPU would not tell."""
    seen: list[bool] = []

    def look(_: nn.Module, given: tuple[Tensor, Tensor | tuple[Tensor, Tensor]]) -> None:
        state = given[1] if isinstance(given[1], tuple) else (given[1],)
        seen.extend(part.is_contiguous() for part in state)

    cell.rnn.register_forward_pre_hook(look)
    dilated = Dilated(cell, 3)
    state, _ = dilated.step(dilated.initial(2), torch.zeros(2, 2))
    dilated.scan(state, torch.zeros(2, 4, 2))
    assert seen
    assert all(seen)


def test_forget_gate_starts_open() -> None:
    lstm = LSTM(2, 3)
    bias = lstm.rnn.get_parameter("bias_ih_l0").detach()
    assert torch.equal(bias[3:6], torch.ones(3))
    assert (bias[[0, 1, 2, 6, 7, 8, 9, 10, 11]].abs() < 1).all()
