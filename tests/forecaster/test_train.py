"""The training loop: reproducible, resumable, and it learns."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from forecaster.batch import Batch
from forecaster.build import build
from forecaster.checkpoint import Progress, restore, save
from forecaster.model import Model
from forecaster.spec import CoreSpec, FitSpec, RecurrentSpec, StateSpaceSpec, Task
from forecaster.train import Step, fit, learning_rate
from tests.laws import chunk

TASK = Task(horizon=4, stride=4)
SPEC = RecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1))
FIT = FitSpec(updates=14, learning_rate=0.02)


class Waves:
    """Two lanes of noisy waves in four chunks; every epoch has its own phases."""

    def __init__(self, seed: int = 0, fails: tuple[int, int] | None = None) -> None:
        self.seed, self.fails, self.read = seed, fails, 0

    def series(self, epoch: int) -> Batch:
        random = torch.Generator().manual_seed(1000 * self.seed + epoch)
        phase, noise = torch.rand(2, 1, generator=random) * 8, torch.randn(2, 68, generator=random)
        target = (10 + torch.sin((torch.arange(68) + phase) * math.pi / 4) + 0.05 * noise).double()
        return Batch(
            target=target[:, :64],
            known=torch.zeros(2, 68, 0),
            past=torch.zeros(2, 64, 0),
            static=torch.zeros(2, 0, dtype=torch.int64),
            reset=torch.ones(2, dtype=torch.bool),
            future=target[:, 64:],
            unit=torch.ones(2, dtype=torch.float64),
        )

    def epoch(self, number: int) -> Iterator[Batch]:
        for part in range(4):
            if (number, part) == self.fails:
                raise KeyboardInterrupt
            self.read += 1
            yield chunk(self.series(number), 16 * part, 16 * (part + 1))


def model(seed: int = 0) -> Model:
    return build(SPEC, TASK, seed)


def run(made: Model, batches: Waves, checkpoint: Path | None = None, spec: FitSpec = FIT) -> list[Step]:
    return list(fit(made, batches, spec, checkpoint))


def weights(made: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in made.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Tensor]:
    made = model()
    run(made, Waves())
    return weights(made)


@pytest.mark.parametrize(("native", "same"), [(True, "bfloat16"), (False, "float32")])
def test_the_precision_is_what_the_processor_has_instructions_for(
    native: bool, same: Literal["float32", "bfloat16"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    learned = {}
    for precision in ("auto", "float32", "bfloat16"):
        made = model()
        run(made, Waves(), spec=FIT.model_copy(update={"precision": precision}))
        learned[precision] = weights(made)
    assert not equal(learned["float32"], learned["bfloat16"])
    assert equal(learned["auto"], learned[same])
    assert all(value.dtype == model().state_dict()[name].dtype for name, value in learned["bfloat16"].items())


def test_the_same_seed_gives_the_same_weights(undisturbed: dict[str, Tensor]) -> None:
    torch.manual_seed(123)  # the global generator is nothing to it
    again = model()
    run(again, Waves())
    assert equal(weights(again), undisturbed)
    for made, batches in ((model(1), Waves()), (model(), Waves(1))):
        run(made, batches)
        assert not equal(weights(made), undisturbed)


def test_steps_tell_what_happened() -> None:
    batches = Waves()
    steps = run(model(), batches)
    assert batches.read == FIT.updates
    assert [step.epoch for step in steps] == [0, 1, 2, 3]
    assert [step.updates for step in steps] == [4, 8, 12, 14]
    assert all(step.seconds > 0 and math.isfinite(step.loss) and step.grad_norm > 0 for step in steps)
    assert steps[-1].learning_rate == learning_rate(FIT, 13 / 14)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_stopped_after_an_epoch_it_goes_on(epochs: int, undisturbed: dict[str, Tensor], tmp_path: Path) -> None:
    """The epoch that was yielded last counts only once the next is asked for."""
    for _, step in zip(range(epochs), fit(model(), Waves(), FIT, tmp_path / "run"), strict=False):
        assert step.epoch < epochs
    made = model(seed=9)
    if epochs == 1:  # nothing was saved, so everything starts again
        assert not (tmp_path / "run").exists()
        made = model()
    steps = run(made, Waves(), tmp_path / "run")
    assert steps[0].epoch == epochs - 1
    assert equal(weights(made), undisturbed)


@pytest.mark.parametrize("fails", [(0, 2), (1, 0), (1, 3), (3, 1)])
def test_killed_within_an_epoch_it_goes_on(
    fails: tuple[int, int], undisturbed: dict[str, Tensor], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(model(), Waves(fails=fails), tmp_path / "run")
    made = model()
    assert run(made, Waves(), tmp_path / "run")[0].epoch == fails[0]
    assert equal(weights(made), undisturbed)


def test_a_finished_run_is_not_repeated(undisturbed: dict[str, Tensor], tmp_path: Path) -> None:
    run(model(), Waves(), tmp_path / "run")
    made, batches = model(seed=9), Waves()
    assert run(made, batches, tmp_path / "run") == []
    assert batches.read == 0
    assert equal(weights(made), undisturbed)


def test_it_learns() -> None:
    """Waves that a naive forecast does not see coming."""
    steps = run(model(), Waves(), spec=FitSpec(updates=160, learning_rate=0.02))
    assert steps[-1].loss < 0.4 * steps[0].loss


def test_the_state_runs_on_from_batch_to_batch() -> None:
    """At a learning rate of nearly nothing, the mean loss of the chunks is that of the whole series at once."""
    made, batches = model(), Waves()
    (step,) = run(made, batches, spec=FitSpec(updates=4, learning_rate=1e-12))
    _, whole = made.loss(made.start(2, made.stride), batches.series(0))
    assert step.loss == pytest.approx(whole.item(), rel=1e-5)


def test_gradients_are_clipped() -> None:
    made = model()
    *_, last = run(made, Waves(), spec=FIT.model_copy(update={"clip": 1e-3}))
    gradients = [parameter.grad for parameter in made.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
    assert last.grad_norm > 2e-3
    assert norm == pytest.approx(1e-3, rel=1e-2)


class Unknown(Waves):
    """Nothing to learn from."""

    def epoch(self, number: int) -> Iterator[Batch]:
        for part in super().epoch(number):
            yield replace(part, target=part.target * math.nan, future=part.future * math.nan)


def test_only_matrices_of_weights_decay() -> None:
    """Without a gradient by the product of 1 - rate * decay; all else stays to the bit."""
    made, spec = model(), FIT.model_copy(update={"weight_decay": 0.5})
    before = weights(made)
    list(fit(made, Unknown(), spec))
    left = math.prod(1 - 0.5 * learning_rate(spec, step / spec.updates) for step in range(spec.updates))
    kept = {name for name, value in weights(made).items() if torch.equal(value, before[name])}
    for name in before.keys() - kept:
        torch.testing.assert_close(weights(made)[name], left * before[name])
    matrices = {"core.cores.0.core.rnn.weight_ih_l0", "core.cores.0.core.rnn.weight_hh_l0", "input.weight"}
    assert before.keys() - kept == matrices
    assert not made.get_parameter("decoder.output.weight").any()  # where zero starts, zero stays


def test_a_model_without_matrices_is_trained() -> None:
    made = build(StateSpaceSpec(), Task(horizon=4, seasons=(8,)))
    before = weights(made)
    steps = run(made, Waves(), spec=FitSpec(updates=24, learning_rate=0.2))
    assert steps[-1].loss < 0.7 * steps[0].loss
    assert not any(torch.equal(value, before[name]) for name, value in weights(made).items())


def test_divergence_is_an_error_and_leaves_the_last_good_epoch(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="learning rate"):
        run(model(), Waves(), tmp_path / "run", FitSpec(updates=400, learning_rate=1e30, weight_decay=0))
    if (tmp_path / "run").exists():
        made = model()
        restore(tmp_path / "run", made, torch.optim.AdamW(made.parameters()))
        assert all(value.isfinite().all() for value in weights(made).values())


def test_a_gradient_that_is_no_number_is_an_error_though_the_loss_is_one() -> None:
    made = model()
    made.get_parameter("decoder.output.bias").register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(FloatingPointError):
        run(made, Waves(), spec=FitSpec(updates=1))


@given(warmup=st.floats(0, 0.9), rate=st.floats(1e-5, 1))
def test_learning_rate_rises_then_falls_to_zero(warmup: float, rate: float) -> None:
    spec = FitSpec(warmup=warmup, learning_rate=rate)
    assert learning_rate(spec, 1.0) == pytest.approx(0, abs=1e-12)
    assert learning_rate(spec, warmup) == pytest.approx(rate)
    rates = [learning_rate(spec, step / 200) for step in range(200)]
    assert all(0 < each <= rate * (1 + 1e-9) for each in rates)
    rise = [each for step, each in enumerate(rates) if step / 200 < warmup]
    assert rise == sorted(rise)
    assert rates[len(rise) :] == sorted(rates[len(rise) :], reverse=True)


def trained() -> tuple[Model, torch.optim.AdamW]:
    made = model()
    optimizer = torch.optim.AdamW(made.parameters())
    for part in Waves().epoch(0):
        optimizer.zero_grad()
        made.loss(made.start(2, made.stride), part)[1].backward()
        optimizer.step()
    return made, optimizer


def test_checkpoint_round_trip_is_exact(tmp_path: Path) -> None:
    made, optimizer = trained()
    save(tmp_path / "run", made, optimizer, Progress(3, 12))
    other = model(seed=5)
    fresh = torch.optim.AdamW(other.parameters())
    assert restore(tmp_path / "run", other, fresh) == Progress(3, 12)
    assert equal(weights(other), weights(made))
    moments, expected = fresh.state_dict()["state"], optimizer.state_dict()["state"]
    assert moments.keys() == expected.keys()
    assert all(equal(moments[number], expected[number]) for number in expected)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_checkpoint_of_views_into_one_storage(tmp_path: Path) -> None:
    """As cuDNN keeps the weights of a recurrent layer."""
    made, optimizer = trained()
    flat = torch.cat([parameter.detach().flatten() for parameter in made.parameters()])
    place, before = 0, weights(made)
    for parameter in made.parameters():
        parameter.data = flat[place : place + parameter.numel()].view_as(parameter)
        place += parameter.numel()
    save(tmp_path / "run", made, optimizer, Progress(1, 4))
    other = model(seed=5)
    restore(tmp_path / "run", other, torch.optim.AdamW(other.parameters()))
    assert equal(weights(other), before)


def test_a_half_written_checkpoint_is_not_read(tmp_path: Path) -> None:
    made, optimizer = trained()
    save(tmp_path / "run", made, optimizer, Progress(1, 4))
    (tmp_path / "run.new").write_bytes(b"half")
    assert restore(tmp_path / "run", made, optimizer) == Progress(1, 4)
    save(tmp_path / "run", made, optimizer, Progress(2, 8))
    assert restore(tmp_path / "run", made, optimizer) == Progress(2, 8)
