"""What a training run needs to go on after a crash, as tensors in one file that is replaced atomically."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from safetensors.torch import save as pack
from torch import nn

from forecaster.durable import replace


class Progress(NamedTuple):
    """How far a training run has come."""

    epochs: int = 0
    updates: int = 0


def save(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write weights, optimizer moments and progress; a crash or a full disk leaves the old file or the new."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    tensors["progress"] = torch.tensor(progress)
    replace(file, pack({name: value.contiguous() for name, value in tensors.items()}))


def save_weights(file: Path, model: nn.Module) -> None:
    """Write only the weights."""
    replace(file, pack({name: value.contiguous() for name, value in model.state_dict().items()}))


def load_weights(file: Path, model: nn.Module) -> None:
    """Load what `save_weights` wrote."""
    model.load_state_dict(load_file(file))


def restore(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Load what `save` wrote into a model and an optimizer made the same way."""
    tensors = load_file(file)
    prefix = "model."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for path, value in tensors.items():
        if path.startswith("optimizer."):
            _, number, name = path.split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return Progress(*tensors["progress"].tolist())
