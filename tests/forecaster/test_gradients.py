"""How far back a gradient reaches, against powers of a matrix and against differentiating from each state anew."""

import pytest
import torch
from hypothesis import given
from torch import Tensor

from forecaster.core import Core
from forecaster.errors import DataError
from forecaster.gradients import core_parts, norms
from forecaster.models.pointwise import Pointwise
from forecaster.state import State, take, transform
from tests.examples import CORES, MODELS, batch, core_case, seeds
from tests.laws import chunk

WITHOUT = [name for name, example in MODELS.items() if isinstance(example.model(), Pointwise)]


class LinearCore(Core):
    """h_t = W h_{t-1} + x_t."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.inputs = self.features = len(weight)

    def initial(self, batch: int) -> State:
        return {"hidden": self.weight.new_zeros(batch, self.features)}

    def scan(self, state: State, xs: Tensor) -> tuple[State, Tensor]:
        hidden = [state["hidden"]]
        for x in xs.unbind(1):
            hidden.append(hidden[-1] @ self.weight.T + x)
        return {"hidden": hidden[-1]}, torch.stack(hidden[1:], 1)


@given(seed=seeds)
def test_of_a_linear_core_it_is_the_power_of_the_matrix(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 4, generator=random, dtype=torch.float64)
    xs = torch.randn(3, 20, 4, generator=random, dtype=torch.float64)
    core = LinearCore(weight)
    found = norms(core.step, core.initial(3), xs.unbind(1), ["hidden"])["hidden"]
    ones = torch.ones(4, dtype=torch.float64)  # d (h_1 + ... + h_4) / d h
    by_hand = torch.stack([(torch.linalg.matrix_power(weight.T, k) @ ones).norm() for k in range(1, 21)])
    torch.testing.assert_close(found, by_hand.expand(3, -1))


@pytest.mark.parametrize(("radius", "after"), [(0.5, 0.5**20), (1.0, 1.0), (2.0, 2.0**20)])
def test_it_vanishes_stays_or_explodes_with_the_radius_of_a_rotation(radius: float, after: float) -> None:
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).double())
    core = LinearCore(radius * rotation)
    found = norms(core.step, core.initial(1), torch.zeros(1, 21, 4).double().unbind(1), ["hidden"])["hidden"][0]
    torch.testing.assert_close(found[20] / found[0], torch.tensor(after).double())


@pytest.mark.parametrize("name", CORES)
def test_of_any_core_it_is_that_of_the_scan_from_each_state(name: str) -> None:
    core, state, xs = core_case(name, batch=3, time=6, seed=0)
    found = norms(core.step, state, xs.unbind(1), list(state))
    for back in range(1, 7):
        before = core.scan(state, xs[:, :-back])[0] if back < 6 else state
        leaves = transform(lambda s: s.detach().requires_grad_(), before)
        features = core.scan(leaves, xs[:, -back:])[1][:, -1]
        gradients = torch.autograd.grad(features.sum(), list(leaves.values()), materialize_grads=True)
        for part, gradient in zip(leaves, gradients, strict=True):
            torch.testing.assert_close(found[part][:, back - 1], gradient.reshape(3, -1).norm(dim=1))


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITHOUT])
def test_of_a_model_each_lane_has_its_own(name: str) -> None:
    example = MODELS[name]
    model = example.model()
    stride = model.stride
    data = batch(example.task, 3, 8 * stride, seed=0)
    segments = [chunk(data, n, n + stride) for n in range(0, 8 * stride, stride)]
    names = core_parts(model)
    found = norms(model.loss, model.start(3, stride), segments, names)
    lane = torch.tensor([1])
    alone = [type(one)(*(value[lane] for value in vars(one).values())) for one in segments]
    single = norms(model.loss, model.start(1, stride), alone, names)
    torch.testing.assert_close(transform(lambda s: 3 * s, take(found, lane)), single, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_model_without_a_recurrent_state_is_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"has no recurrent state.*; choose a model of a recurrent recipe"):
        core_parts(MODELS[name].model())
