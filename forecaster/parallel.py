"""Several processes that train one model: each has its own lanes of every batch, and the gradients are averaged.

torchrun starts them. Their losses and updates are those of a single process, to rounding; alone, it is one.
"""

import os
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float32, Shaped
from torch import Tensor, distributed, nn

from forecaster.batch import Batch
from forecaster.errors import DataError


def join() -> None:
    """Join the processes that torchrun has started, if it has: by NCCL on a GPU each, else by gloo."""
    if distributed.is_torchelastic_launched() and not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group()


def device() -> torch.device:
    """What this process trains on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def processes() -> int:
    """How many there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def first() -> bool:
    """Whether this is the process that writes files and logs."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def wait() -> None:
    """Until all processes are here."""
    if processes() > 1:
        distributed.barrier()


def agree(value: float) -> float:
    """What the first process says, in all of them."""
    said = torch.tensor(value, dtype=torch.float64)
    if processes() > 1:
        distributed.broadcast(said, 0)
    return said.item()


def share(batch: Batch) -> Batch:
    """The lanes of this process. Raises DataError where there are fewer lanes than processes."""
    if processes() == 1:
        return batch
    if len(batch.reset) < processes():
        message = f"{len(batch.reset)} lanes cannot be shared by {processes()} processes"
        raise DataError(message, remedy="start fewer processes, or give more series")
    mine = slice(distributed.get_rank(), None, processes())
    return batch.each(lambda values: values[mine])


def mean_loss(losses: Float32[Tensor, "*shape"], counts: Bool[Tensor, "*shape"]) -> Float32[Tensor, ""]:
    """The sum of `losses`, zero where nothing counts, over how many count in all lanes of a process on average.

    Its mean over the processes is therefore the mean loss of the whole batch, however the counts are spread.
    """
    count = counts.sum()
    if processes() > 1:
        distributed.all_reduce(count)
    return processes() * losses.sum() / count.clamp(min=1)


def average(tensors: Iterable[Shaped[Tensor, "..."]]) -> None:
    """Put the mean over the processes in the place of each tensor."""
    if processes() == 1:
        return
    several = list(tensors)
    flat = torch.cat([one.flatten() for one in several])
    distributed.all_reduce(flat)
    for one, part in zip(several, flat.div_(processes()).split([one.numel() for one in several]), strict=True):
        one.copy_(part.view_as(one))


def gradients(model: nn.Module) -> list[Shaped[Tensor, "..."]]:
    """Those that there are."""
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
