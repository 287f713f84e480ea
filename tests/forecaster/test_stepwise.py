"""Cells in plain torch against their equations, in numpy."""

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from forecaster.cells.gru_before import GRUBefore
from forecaster.cells.mgu import MGU
from forecaster.cells.peephole import CoupledLSTM, PeepholeLSTM
from forecaster.cells.stepwise import Stepwise
from forecaster.state import State


def sigma(x: ndarray) -> ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def case(cell: Stepwise) -> tuple[dict[str, ndarray], ndarray, ndarray, ndarray, State, Tensor]:
    """Random weights; what a random input gives to the gates; hidden and cell; and the same for torch."""
    random = torch.Generator().manual_seed(1)
    for parameter in cell.double().parameters():
        nn.init.normal_(parameter, generator=random)
    weights = {name: parameter.detach().numpy() for name, parameter in cell.named_parameters()}
    state = {name: torch.randn(1, cell.features, generator=random, dtype=torch.float64) for name in cell.initial(1)}
    x = torch.randn(1, cell.inputs, generator=random, dtype=torch.float64)
    driven = weights["drive.weight"] @ x[0].numpy() + weights["drive.bias"]
    return weights, driven, state["hidden"][0].numpy(), state.get("cell", x)[0].numpy(), state, x


def agrees(made: Stepwise, state: State, x: Tensor, **expected: ndarray) -> None:
    after, features = made.step(state, x)
    assert after.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(after[name][0].detach(), value)
    assert torch.equal(after["hidden"], features)


def test_gru_before() -> None:
    gru = GRUBefore(2, 3)
    weights, driven, h, _, state, x = case(gru)
    (x_r, x_u, x_c), (w_r, w_u) = np.split(driven, 3), np.split(weights["gates.weight"], 2)
    r, u = sigma(w_r @ h + x_r), sigma(w_u @ h + x_u)
    candidate = np.tanh(weights["recur.weight"] @ (r * h) + x_c)
    agrees(gru, state, x, hidden=(1 - u) * h + u * candidate)


def test_mgu() -> None:
    mgu = MGU(2, 3)
    weights, driven, h, _, state, x = case(mgu)
    x_f, x_c = np.split(driven, 2)
    f = sigma(weights["gate.weight"] @ h + x_f)
    candidate = np.tanh(weights["recur.weight"] @ (f * h) + x_c)
    agrees(mgu, state, x, hidden=(1 - f) * h + f * candidate)


def test_peephole_lstm() -> None:
    lstm = PeepholeLSTM(2, 3)
    weights, driven, h, before, state, x = case(lstm)
    i, f, o, g = np.split(driven + weights["recur.weight"] @ h, 4)
    p_i, p_f, p_o = weights["peep"]
    cell = sigma(f + p_f * before) * before + sigma(i + p_i * before) * np.tanh(g)
    agrees(lstm, state, x, hidden=sigma(o + p_o * cell) * np.tanh(cell), cell=cell)


def test_coupled_lstm() -> None:
    lstm = CoupledLSTM(2, 3)
    weights, driven, h, before, state, x = case(lstm)
    f, o, g = np.split(driven + weights["recur.weight"] @ h, 3)
    p_f, p_o = weights["peep"]
    forget = sigma(f + p_f * before)
    cell = forget * before + (1 - forget) * np.tanh(g)
    agrees(lstm, state, x, hidden=sigma(o + p_o * cell) * np.tanh(cell), cell=cell)


def test_forget_gates_start_open_and_no_gate_looks_yet() -> None:
    for lstm, bias in ((PeepholeLSTM(2, 3), slice(3, 6)), (CoupledLSTM(2, 3), slice(0, 3))):
        assert torch.equal(lstm.drive.bias[bias], torch.ones(3))
        assert not lstm.peep.any()
