"""The law of `Core`, over every core, outputs and gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecaster.cells import CELLS
from forecaster.cells.fused import GRU, LSTM
from forecaster.cores.compose import Dense, Dilated, Residual
from forecaster.cores.plain import Plain
from tests import laws
from tests.examples import CORES, FORGETFUL, core, core_case, seeds

every_core = pytest.mark.parametrize("name", CORES)
batches, times = st.integers(1, 3), st.integers(2, 12)


@every_core
@given(batch=st.integers(1, 4))
def test_initial_state_is_batch_first(name: str, batch: int) -> None:
    laws.core_initial(core(name), batch)


@every_core
@given(batch=batches, time=times, data=st.data(), seed=seeds)
def test_split_law(name: str, batch: int, time: int, data: st.DataObject, seed: int) -> None:
    laws.core_split(*core_case(name, batch, time, seed), at=data.draw(st.integers(1, time - 1)))


@every_core
@given(batch=batches, time=times, seed=seeds)
def test_step_law(name: str, batch: int, time: int, seed: int) -> None:
    laws.core_step(*core_case(name, batch, time, seed))


@every_core
@given(batch=batches, time=times, data=st.data(), seed=seeds)
def test_causality(name: str, batch: int, time: int, data: st.DataObject, seed: int) -> None:
    laws.core_causal(*core_case(name, batch, time, seed), at=data.draw(st.integers(1, time - 1)))


@pytest.mark.parametrize("name", sorted(CORES.keys() - FORGETFUL))
def test_state_is_remembered(name: str) -> None:
    laws.core_remembers(*core_case(name, 2, 3, 0))


@every_core
@given(batch=st.integers(2, 4), time=times, data=st.data(), seed=seeds)
def test_lanes_do_not_see_each_other(name: str, batch: int, time: int, data: st.DataObject, seed: int) -> None:
    laws.core_lanes(*core_case(name, batch, time, seed), lane=data.draw(st.integers(0, batch - 1)))


@every_core
@given(mask=st.lists(st.booleans(), min_size=1, max_size=4), time=times, seed=seeds)
def test_reset_lane_is_a_fresh_lane(name: str, mask: list[bool], time: int, seed: int) -> None:
    laws.core_reset(*core_case(name, len(mask), time, seed), mask=torch.tensor(mask))


def test_every_cell_is_held_by_the_law() -> None:
    assert CELLS.keys() <= CORES.keys()
    assert all(type(core(name)) is cell for name, cell in CELLS.items())


def test_dilated_takes_one_inner_step_per_step() -> None:
    """h_n = f(h_{n - 3}, x_n), by hand."""
    inner = GRU(2, 2).double()
    xs = torch.randn(1, 8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, features = Dilated(inner, 3).scan(Dilated(inner, 3).initial(1), xs)
    for phase in range(3):
        _, expected = inner.scan(inner.initial(1), xs[:, phase::3])
        torch.testing.assert_close(features[:, phase::3], expected)


def test_residual_adds_the_inputs() -> None:
    inner = LSTM(2, 2)
    xs = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Residual(inner).scan(inner.initial(1), xs)[1], inner.scan(inner.initial(1), xs)[1] + xs)


def test_residual_refuses_unequal_widths() -> None:
    with pytest.raises(ValueError, match="equal widths, not 2 and 3"):
        Residual(GRU(2, 3))


def test_dense_keeps_the_inputs_beside_the_features() -> None:
    inner = LSTM(2, 3)
    xs = torch.randn(1, 5, 2, generator=torch.Generator().manual_seed(0))
    features = Dense(inner).scan(inner.initial(1), xs)[1]
    assert torch.equal(features[..., :2], xs)
    torch.testing.assert_close(features[..., 2:], inner.scan(inner.initial(1), xs)[1])


def test_a_plain_layer_is_one_equation() -> None:
    layer = Plain(2, 3).double()
    xs = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight, bias = layer.map.weight.detach().numpy(), layer.map.bias.detach().numpy()
    state, features = layer.scan(layer.initial(2), xs)
    assert state == {}
    np.testing.assert_allclose(features.detach(), np.tanh(xs.numpy() @ weight.T + bias))
    torch.testing.assert_close(layer.step({}, xs[:, 1])[1], features[:, 1])
