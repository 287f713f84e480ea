"""Two processes that share the lanes of every batch train as one does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, distributed
from torch.testing import assert_close

from forecaster.batch import Batch
from forecaster.checkpoint import save_weights
from forecaster.errors import DataError
from forecaster.learner import Learner
from forecaster.parallel import agree, average, first, join, mean_loss, processes, share, wait
from forecaster.spec import FitSpec
from forecaster.train import fit
from tests.examples import LABELS, MODELS, WHOLE, batch, label_batch, moved, whole_batch
from tests.forecaster.test_filler import filler, windows
from tests.laws import chunk

ROOT = Path(__file__).parents[2]
LANES, CHUNK, CHUNKS = 5, 12, 4
FIT = FitSpec(updates=10, learning_rate=0.01, warmup=0.0, precision="float32")  # whose sums differ by little


class Chunks:
    """The same series in every epoch, of which some have far more gaps than others."""

    def __init__(self, series: Batch) -> None:
        holes = torch.rand(series.target.shape, generator=torch.Generator().manual_seed(3))
        share = torch.linspace(0, 0.9, len(series.target)).unsqueeze(1)
        self.series = replace(series, target=series.target.masked_fill(holes < share, torch.nan))

    def epoch(self, number: int) -> Iterator[Batch]:  # noqa: ARG002
        chunk_length = self.series.target.shape[1] // CHUNKS
        for part in range(CHUNKS):
            yield chunk(self.series, part * chunk_length, (part + 1) * chunk_length)


class Same:
    """One batch again and again."""

    def __init__(self, series: Batch) -> None:
        self.series = series

    def epoch(self, number: int) -> Iterator[Batch]:  # noqa: ARG002
        yield from [self.series] * CHUNKS


def cases() -> dict[str, tuple[Learner, Chunks | Same]]:
    """A model with each of the losses that there are."""
    numbers = ("gru covariates", "lstm logarithm", "seq2seq", "ensemble", "linear", "state space seasons")
    made: dict[str, tuple[Learner, Chunks | Same]] = {}
    for name in numbers:
        example = MODELS[name]
        made[name] = example.model(), Chunks(batch(example.task, LANES, CHUNK * CHUNKS, 0))
    labels = LABELS["lstm with an end"]
    made["labels"] = labels.model(), Chunks(label_batch(labels.task, LANES, CHUNK * CHUNKS, 0))
    for name in ("number gru", "label gru covariates"):
        spec, task = WHOLE[name]
        answers = whole_batch(task, LANES, CHUNK, 0)
        answers.future[1] = torch.nan
        made[name] = moved(spec, task, 0), Same(answers)
    made["filler"] = filler(), Same(windows(LANES))
    return made


def train(folder: Path, name: str, model: Learner, batches: Chunks | Same) -> None:
    """Keep the learning curve and the weights of this process."""
    steps = [(step.loss, step.grad_norm) for step in fit(model, batches, FIT, folder / f"{name}.checkpoint")]
    rank = 0 if first() else 1
    (folder / f"{name}.{rank}.json").write_text(json.dumps(steps))
    save_weights(folder / f"{name}.{rank}.safetensors", model)


def main(folder: Path) -> None:
    """What each of the two processes does."""
    torch.set_num_threads(1)
    join()
    assert processes() == 2
    assert first() == (distributed.get_rank() == 0)
    assert agree(10.0 + distributed.get_rank()) == 10
    with pytest.raises(DataError, match="1 lanes cannot be shared by 2 processes; start fewer processes"):
        share(batch(MODELS["linear"].task, 1, CHUNK, 0))
    for name, (model, batches) in cases().items():
        train(folder, name, model, batches)
    wait()
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have learned."""
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, "-m", "tests.forecaster.test_parallel", str(folder)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def weights(folder: Path, name: str, rank: int) -> dict[str, Tensor]:
    return load_file(folder / f"{name}.{rank}.safetensors")


@pytest.mark.parametrize("name", cases())
def test_two_processes_train_as_one(name: str, together: Path, tmp_path: Path) -> None:
    train(tmp_path, name, *cases()[name])
    alone, shared = (json.loads((folder / f"{name}.0.json").read_text()) for folder in (tmp_path, together))
    assert len(alone) == 3
    assert_close(torch.tensor(shared), torch.tensor(alone), rtol=2e-6, atol=1e-6)
    assert_close(weights(together, name, 0), weights(tmp_path, name, 0), rtol=1e-4, atol=1e-5)
    assert_close(weights(together, name, 1), weights(together, name, 0), rtol=0, atol=0)


def test_one_process_is_left_alone() -> None:
    join()
    wait()
    assert processes() == 1
    assert first()
    assert agree(0.1) == 0.1
    series = batch(MODELS["linear"].task, 1, CHUNK, 0)
    assert share(series) is series
    values = torch.arange(3.0)
    average([values])
    assert values.tolist() == [0, 1, 2]
    counts = torch.tensor([True, True, False])
    assert mean_loss(torch.tensor([1.0, 2.0, 0.0]), counts).item() == 1.5
    assert mean_loss(torch.zeros(3), counts & False).item() == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
