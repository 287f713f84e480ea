"""Back-propagation through time against formulas worked by hand, whole and truncated (Williams and Peng 1990)."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy import ndarray
from torch import Tensor, nn
from torch.testing import assert_close

from forecaster.cells import CELLS
from forecaster.cells.fused import GRU, LSTM, Elman
from forecaster.core import Core
from forecaster.state import State, detach, transform
from tests.examples import core_case, seeds
from tests.laws import probe

Arrays: TypeAlias = dict[str, ndarray]
Back: TypeAlias = Callable[[Arrays], tuple[ndarray, ndarray, Arrays]]
"""From the gradient in the state after a step to those in U x + b, in W h + c, and in the state before, past W h."""
Step: TypeAlias = Callable[[ndarray, ndarray, Arrays], tuple[Arrays, Back]]
"""From U x + b, W h + c and the state to the state after it, and the way back."""

TIME = 6


def sigma(x: ndarray) -> ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def elman(ux: ndarray, wh: ndarray, state: Arrays) -> tuple[Arrays, Back]:
    a = np.tanh(ux + wh)

    def back(d: Arrays) -> tuple[ndarray, ndarray, Arrays]:
        dtanh = d["hidden"] * (1 - a**2)
        return dtanh, dtanh, {"hidden": np.zeros_like(a)}

    return {"hidden": a}, back


def lstm(ux: ndarray, wh: ndarray, state: Arrays) -> tuple[Arrays, Back]:
    before = state["cell"]
    i, f, g, o = np.split(ux + wh, 4)
    i, f, g, o = sigma(i), sigma(f), np.tanh(g), sigma(o)
    cell = f * before + i * g
    squashed = np.tanh(cell)

    def back(d: Arrays) -> tuple[ndarray, ndarray, Arrays]:
        dcell = d["cell"] + d["hidden"] * o * (1 - squashed**2)
        di, df = dcell * g * i * (1 - i), dcell * before * f * (1 - f)
        dg, do = dcell * i * (1 - g**2), d["hidden"] * squashed * o * (1 - o)
        dgates = np.concatenate([di, df, dg, do])
        return dgates, dgates, {"hidden": np.zeros_like(o), "cell": dcell * f}

    return {"hidden": o * squashed, "cell": cell}, back


def gru(ux: ndarray, wh: ndarray, state: Arrays) -> tuple[Arrays, Back]:
    before = state["hidden"]
    (ux_r, ux_u, ux_n), (wh_r, wh_u, wh_n) = np.split(ux, 3), np.split(wh, 3)
    r, u = sigma(ux_r + wh_r), sigma(ux_u + wh_u)
    n = np.tanh(ux_n + r * wh_n)

    def back(d: Arrays) -> tuple[ndarray, ndarray, Arrays]:
        dn = d["hidden"] * (1 - u) * (1 - n**2)
        du, dr = d["hidden"] * (before - n) * u * (1 - u), dn * wh_n * r * (1 - r)
        return np.concatenate([dr, du, dn]), np.concatenate([dr, du, dn * r]), {"hidden": d["hidden"] * u}

    return {"hidden": (1 - u) * n + u * before}, back


def by_hand(step: Step, weights: Arrays, state: Arrays, xs: ndarray, dfeatures: ndarray, length: int) -> Arrays:
    """Gradients in the weights, the inputs and the first state, cut after every `length` steps."""
    w, u = weights["weight_hh_l0"], weights["weight_ih_l0"]
    hidden, backs = [state["hidden"]], []
    for x in xs:
        state, back = step(u @ x + weights["bias_ih_l0"], w @ state["hidden"] + weights["bias_hh_l0"], state)
        hidden.append(state["hidden"])
        backs.append(back)
    sums = {name: np.zeros_like(value) for name, value in weights.items()}
    dxs, nothing = np.zeros_like(xs), {name: np.zeros_like(value) for name, value in state.items()}
    dstate = nothing
    for t in reversed(range(len(xs))):
        cut = nothing if (t + 1) % length == 0 else dstate
        d_ux, d_wh, dstate = backs[t](cut | {"hidden": cut["hidden"] + dfeatures[t]})
        dstate["hidden"] = dstate["hidden"] + w.T @ d_wh  # da_prev = W^T dtanh
        dxs[t] = u.T @ d_ux
        sums["weight_ih_l0"] += np.outer(d_ux, xs[t])  # a weight that appears at each step: the sum over the steps
        sums["weight_hh_l0"] += np.outer(d_wh, hidden[t])
        sums["bias_ih_l0"] += d_ux
        sums["bias_hh_l0"] += d_wh
    return sums | {"xs": dxs} | {f"first {name}": value for name, value in dstate.items()}


def truncated(core: Core, state: State, xs: Tensor, length: int) -> Tensor:
    """The features of every step; the state runs on, and the gradient is cut after every `length` steps."""
    features = []
    for stretch in xs.split(length, 1):
        state, each = core.scan(state, stretch)
        state = detach(state)
        features.append(each)
    return torch.cat(features, 1)


@pytest.mark.parametrize("length", [1, 2, 3, TIME])
@pytest.mark.parametrize(("kind", "step"), [(Elman, elman), (LSTM, lstm), (GRU, gru)])
def test_gradients_by_hand(kind: type[Elman | LSTM | GRU], step: Step, length: int) -> None:
    random = torch.Generator().manual_seed(length)
    cell = kind(2, 3).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, generator=random)
    xs, dfeatures = (torch.randn(1, TIME, width, generator=random, dtype=torch.float64) for width in (2, 3))
    state = {name: torch.randn(1, 3, generator=random, dtype=torch.float64) for name in cell.initial(1)}
    weights = dict(cell.rnn.named_parameters())
    leaves = weights | {"xs": xs} | {f"first {name}": value for name, value in state.items()}
    score = (dfeatures * truncated(cell, transform(Tensor.requires_grad_, state), xs.requires_grad_(), length)).sum()
    found = dict(zip(leaves, torch.autograd.grad(score, list(leaves.values())), strict=True))
    arrays = {name: value.detach().numpy() for name, value in weights.items()}
    first = {name: value[0].detach().numpy() for name, value in state.items()}
    expected = by_hand(step, arrays, first, xs[0].detach().numpy(), dfeatures[0].numpy(), length)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].view(value.shape), value, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", CELLS)
@given(length=st.integers(1, 12), seed=seeds)
@example(length=12, seed=0)
def test_truncation_changes_no_value_and_at_full_length_no_gradient(name: str, length: int, seed: int) -> None:
    cell, state, xs = core_case(name, 2, 12, seed)
    state = {part: value.requires_grad_() for part, value in state.items()}
    whole = cell.scan(state, xs)[1]
    cut = truncated(cell, state, xs, length)
    assert_close(cut, whole)
    if length == xs.shape[1]:
        leaves = [*cell.parameters(), *state.values()]
        weights = probe(whole)
        exact = torch.autograd.grad((weights * whole).sum(), leaves)
        assert_close(torch.autograd.grad((weights * cut).sum(), leaves), exact)
