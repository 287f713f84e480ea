"""Deep stacks: without connections around their layers they do not train (He et al. 2016, Huang et al. 2017)."""

import pytest
import torch
from torch import nn

from forecaster.build import build_core
from forecaster.spec import CoreSpec

LAG = 3


def error_after_training(skip: str, layers: int) -> float:
    """Mean squared error of white noise (of variance 1) recalled from `LAG` steps before, after 150 updates."""
    torch.manual_seed(0)
    width, lanes = 16, 32
    core = build_core(CoreSpec.model_validate({"cell": "lstm", "width": width, "layers": layers, "skip": skip}))
    read, tell = nn.Linear(1, width), nn.Linear(core.features, 1)
    optimizer = torch.optim.Adam([*read.parameters(), *core.parameters(), *tell.parameters()], lr=3e-3)
    random = torch.Generator().manual_seed(0)
    losses: list[float] = []
    for _ in range(150):
        xs = torch.randn(lanes, 24, 1, generator=random)
        _, features = core.scan(core.initial(lanes), read(xs))
        loss = (tell(features)[:, LAG:] - xs[:, :-LAG]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-10:]) / 10


def test_eight_plain_layers_fail_where_one_of_them_learns() -> None:
    assert error_after_training("none", 1) < 0.3
    assert error_after_training("none", 8) > 0.8


@pytest.mark.parametrize("skip", ["residual", "dense"])
def test_eight_connected_layers_learn(skip: str) -> None:
    assert error_after_training(skip, 8) < 0.2
