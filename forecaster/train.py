"""Training: one loop on one page."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from forecaster.batch import Batch
from forecaster.checkpoint import Progress, restore, save
from forecaster.learner import Learner
from forecaster.parallel import average, first, gradients, share
from forecaster.spec import FitSpec
from forecaster.state import detach


@runtime_checkable
class Batches(Protocol):
    """The training data. Batches of one epoch have the same number of lanes, and lanes go on from batch to batch
    unless they reset: contiguous lanes give truncated BPTT over whole histories, windows always reset."""

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the same number gives the same batches."""


@dataclass(frozen=True)
class Step:
    """What one epoch of training was like."""

    epoch: int
    updates: int
    """Steps of gradient descent up to its end."""
    loss: float
    """Mean over the batches; where the head's score is an error, in units of the series."""
    grad_norm: float
    """Largest norm of the gradient before clipping."""
    learning_rate: float
    seconds: float


def fit(model: Learner, batches: Batches, spec: FitSpec, checkpoint: Path | None = None) -> Iterator[Step]:
    """Train `model` in place by truncated back-propagation through time, and yield after each epoch.

    The forward state runs on from batch to batch and the gradient is cut between them (Williams and Peng 1990). To
    stop early, stop iterating. With a `checkpoint` file an epoch is saved when the next one is asked for, so that what
    the caller does with an epoch is done before it counts; a run that finds the file goes on from it to the same
    weights that an undisturbed run has. Processes that torchrun has started share the lanes of each batch.

    Raises FloatingPointError when the loss or its gradient is not finite.
    """
    device = next(model.parameters()).device
    reduced = in_bfloat16(spec, device)
    optimizer = torch.optim.AdamW(decayed(model, spec.weight_decay))
    progress = Progress()
    if checkpoint is not None and checkpoint.exists():
        progress = restore(checkpoint, model, optimizer)
    model.train()
    while progress.updates < spec.updates:
        began, carry, rate = time.perf_counter(), None, 0.0
        losses: list[torch.Tensor] = []
        norms: list[torch.Tensor] = []
        for whole in islice(batches.epoch(progress.epochs), spec.updates - progress.updates):
            batch = share(whole)
            rate = learning_rate(spec, (progress.updates + len(losses)) / spec.updates)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
                before = model.start(len(batch.reset), model.stride) if carry is None else detach(carry)
                carry, loss = model.loss(before, batch.to(device))
            optimizer.zero_grad()
            loss.backward()
            average(gradients(model))
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), spec.clip))
            optimizer.step()
            losses.append(loss.detach())
        average([seen := torch.stack(losses).mean()])
        mean, norm = seen.item(), torch.stack(norms).max().item()
        if not math.isfinite(mean + norm):
            raise FloatingPointError(f"epoch {progress.epochs}: loss {mean}, gradient {norm}; lower the learning rate")
        after = Progress(progress.epochs + 1, progress.updates + len(losses))
        yield Step(progress.epochs, after.updates, mean, norm, rate, time.perf_counter() - began)
        progress = after
        if checkpoint is not None and first():
            save(checkpoint, model, optimizer, progress)


def in_bfloat16(spec: FitSpec, device: torch.device) -> bool:
    """Whether a network computes in bfloat16: where it is asked for, or where nothing is and a CPU does it natively.

    A CPU without these instructions imitates them slowly.
    """
    native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return spec.precision == "bfloat16" or (spec.precision == "auto" and native)


def decayed(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters in groups for an optimizer: only matrices called weights decay.

    A bias, a rate, a variance or a share of the seasons at zero means something, which is no better guess than others.
    """
    parts: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        parts[parameter.dim() > 1 and name.rpartition(".")[2].startswith("weight")].append(parameter)
    return [{"params": part, "weight_decay": weight_decay * decays} for decays, part in parts.items()]


def learning_rate(spec: FitSpec, progress: float) -> float:
    """Linear warm-up, then half a cosine down to zero; `progress` runs from 0 to 1 over the training."""
    if progress < spec.warmup:
        return spec.learning_rate * max(progress / spec.warmup, 0.01)
    return spec.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - spec.warmup) / (1 - spec.warmup)))
