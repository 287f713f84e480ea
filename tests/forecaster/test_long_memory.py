"""LSTM and GRU keep a value for a hundred steps, and Elman's network does not: its gradient has died on the way."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from forecaster.cells import CELLS
from forecaster.core import Core
from forecaster.gradients import norms, reach

STEPS = 100


def task(lanes: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise with a mark at its first value, which is to be told at every step from then on."""
    values = 2 * torch.rand(lanes, STEPS, generator=random) - 1
    mark = torch.zeros(lanes, STEPS)
    mark[:, 0] = 1
    return torch.stack([values, mark], -1), values[:, :1]


@cache
def trained(cell: str) -> tuple[Core, nn.Linear]:
    """A network of 24 units after 400 updates, the same ones for every cell."""
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(0)
    core, output = CELLS[cell](2, 24), nn.Linear(24, 1)
    parameters = [*core.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(400):
        xs, first = task(32, random)
        _, features = core.scan(core.initial(32), xs)
        optimizer.zero_grad()
        (output(features).squeeze(-1) - first).square().mean().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return core, output


def forgotten(cell: str) -> float:
    """The share of the variance of the first value that the output at the last step does not explain."""
    core, output = trained(cell)
    xs, first = task(500, torch.Generator().manual_seed(1))
    with torch.no_grad():
        last = output(core.scan(core.initial(500), xs)[1][:, -1])
    return float((last - first).square().mean() / first.var())


def gradient(cell: str, part: str) -> Tensor:
    """The gradient of the last output by the state before, averaged over lanes; in double precision to see it die."""
    core, output = trained(cell)
    core, output = core.double(), output.double()
    xs, _ = task(50, torch.Generator().manual_seed(1))

    def read(state: dict[str, Tensor], x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        state, features = core.step(state, x)
        return state, output(features)

    found = norms(read, core.initial(50), xs.double().unbind(1), [part])[part].mean(0)
    core.float(), output.float()
    return found


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gated_cells_remember(cell: str) -> None:
    assert forgotten(cell) < 0.1


def test_elman_forgets_everything() -> None:
    assert forgotten("elman") > 0.95


def test_the_gradient_of_elman_vanishes_where_that_of_the_gated_cells_lives() -> None:
    elman, lstm, gru = gradient("elman", "hidden"), gradient("lstm", "cell"), gradient("gru", "hidden")
    gone = reach(elman.numpy())
    assert gone is not None
    assert gone < STEPS / 2
    assert elman[-1] < 1e-6 * elman[0]
    for living in (lstm, gru):
        assert reach(living.numpy()) is None
        assert living[-1] > 0.1 * living[0]
