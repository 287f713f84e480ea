"""The same on a GPU: values, streaming, training in bfloat16."""

import pytest
import torch
from torch.testing import assert_close

from forecaster.batch import Batch
from forecaster.spec import FitSpec
from forecaster.state import transform
from forecaster.train import fit
from tests.examples import CORES, MODELS, batch, core_case
from tests.forecaster.test_train import FIT, Waves, model
from tests.laws import chunk, fields, future_known

pytestmark = pytest.mark.gpu

DEVICE = torch.device("cuda")


@pytest.mark.parametrize("name", CORES)
def test_cores_agree_with_the_cpu(name: str) -> None:
    core, state, xs = core_case(name, 3, 7, 0)
    expected = core.scan(state, xs)
    found = core.to(DEVICE).scan(transform(lambda part: part.to(DEVICE), state), xs.to(DEVICE))
    assert_close(found, expected, check_device=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_forecasts_agree_with_the_cpu(name: str) -> None:
    example = MODELS[name]
    made, series = example.model(), batch(example.task, 3, 9, 0, gaps=0.2)
    known = future_known(series, 20)
    with torch.no_grad():
        expected = fields(made.forecast(made.observe(made.start(3), series), 20, known))
        made.to(DEVICE)
        carry = made.start(3)
        for n in range(9):
            carry = made.observe(carry, chunk(series, n, n + 1).to(DEVICE))
        found = fields(made.forecast(carry, 20, known.to(DEVICE)))
    assert_close(found, expected, check_device=False, rtol=1e-3, atol=1e-3)


def test_training_agrees_with_the_cpu() -> None:
    on_cpu = list(fit(model(), Waves(), FIT))
    on_gpu = list(fit(model().to(DEVICE), Waves(), FIT))
    assert [step.loss for step in on_gpu] == pytest.approx([step.loss for step in on_cpu], rel=0.02)


def test_training_in_bfloat16_learns() -> None:
    made = model().to(DEVICE)
    steps = list(fit(made, Waves(), FitSpec(updates=160, learning_rate=0.02, precision="bfloat16")))
    assert steps[-1].loss < 0.4 * steps[0].loss
    assert all(parameter.dtype == torch.float32 for parameter in made.parameters())


def test_a_batch_moves() -> None:
    moved = batch(MODELS["gru covariates"].task, 2, 3, 0).to(DEVICE)
    assert isinstance(moved, Batch)
    assert all(value.device.type == DEVICE.type for value in vars(moved).values())
