"""What each cell costs: `python -m benchmarks.cell_costs` prints weights, and CPU time to train and to stream.

A core of two residual layers of 128, as recipes have it, on one thread; the least of several times.
"""

import time
from collections.abc import Callable

import torch

from forecaster.build import build_core
from forecaster.cells import CELLS
from forecaster.core import Core
from forecaster.spec import CoreSpec

LANES, TIME, REPEATS = 64, 32, 10


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(f"| cell | weights | forward and backward, {LANES} lanes of {TIME} steps | one step of one lane |")
    print("| --- | ---: | ---: | ---: |")
    for name in sorted(CELLS):
        core = build_core(CoreSpec(cell=name))
        weights = sum(parameter.numel() for parameter in core.parameters())
        train, stream = (1000 * least(job) for job in (training(core), streaming(core)))
        print(f"| `{name}` | {weights:,} | {train:.0f} ms | {stream:.2f} ms |")


def training(core: Core) -> Callable[[], object]:
    """One pass forward and backward."""
    xs = torch.randn(LANES, TIME, core.inputs)
    return lambda: core.scan(core.initial(LANES), xs)[1].square().mean().backward()


def streaming(core: Core) -> Callable[[], object]:
    """One step as it is served."""
    x, state = torch.randn(1, core.inputs), core.initial(1)

    @torch.inference_mode()
    def step() -> object:
        return core.step(state, x)

    return step


def least(job: Callable[[], object]) -> float:
    """Seconds of CPU time that a job takes when nothing is in its way."""
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        job()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
