"""Versions, the champion and the way back, and that nothing but what was registered is ever handed out."""

import logging
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from forecaster.artifact import digest, load_artifact
from forecaster.errors import ArtifactError, DataError
from pipelines.champion.load import chosen
from pipelines.data.panel import Panel
from pipelines.faults import UnavailableError
from pipelines.pyfunc import log_model
from pipelines.registry import versions as registry
from pipelines.registry.fetch import Fetched, copies, resolve
from pipelines.registry.promotion import history, latest, promote, rollback
from pipelines.registry.versions import register, versions
from pipelines.tracking.connection import connect
from pipelines.tracking.run import Run
from tests.pipelines.conftest import flip
from tests.pipelines.processes import free_port

Make = Callable[[int], tuple[Path, str]]

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def add(panel: Panel, artifact: Make) -> Callable[..., str]:
    """Trains nothing, but logs and registers a model; returns its version."""

    def one(name: str = "m", seed: int = 0, **metrics: float) -> str:
        folder, seal = artifact(seed)
        with Run.start(name, "train") as run:
            uri = log_model(run, folder, panel)
        return register(name, uri, run_id=run.id, digest=seal, metrics=metrics)

    return one


@pytest.fixture
def entry() -> Callable[..., str]:
    """Registers a version without a model, where only the books are looked at."""

    def one(name: str = "m", **metrics: float) -> str:
        client = connect()
        with Run.start(name, "train") as run:
            model = client.create_logged_model(run.experiment_id, "lstm", run.id)
        return register(name, model.model_uri, run_id=run.id, digest="0" * 64, metrics=metrics)

    return one


def stored(home: Path) -> Path:
    """The only artifact in the default store."""
    (folder,) = (home / "mlruns" / "artifacts" / "models").glob("*/artifacts/artifacts/artifact")
    return folder


def test_from_a_run_to_a_checked_artifact(store: str, home: Path, add: Callable[..., str], artifact: Make) -> None:
    name = f"whole way, {store}"
    version = add(name, mase=0.7, msis=np.nan)
    promote(name, version, metric="mase", value=0.7)
    champion = resolve(name)
    folder, seal = artifact(0)
    assert (champion.name, champion.version, champion.digest) == (name, version, seal)
    assert champion.folder == home / "mlruns" / "cache" / seal
    assert digest(champion.folder) == seal
    assert load_artifact(champion.folder).spec == load_artifact(folder).spec


def test_a_number_is_a_version_and_a_path_a_folder(home: Path, add: Callable[..., str], artifact: Make) -> None:
    assert add() == "1"
    other, seal = artifact(1)
    shutil.copytree(other, home / "1")
    assert chosen("m", "1") == resolve("m", "1")
    assert chosen("m", "./1") == Fetched("m", "./1", seal, home / "1")


def test_versions_are_counted_and_described(entry: Callable[..., str]) -> None:
    assert [entry(mase=0.7, msis=np.nan), entry(mase=0.5)] == ["1", "2"]
    promote("m", "2")
    first, second = versions("m")
    assert (first.version, first.metrics, first.champion) == ("1", {"mase": 0.7}, False)
    assert (second.version, second.metrics, second.champion) == ("2", {"mase": 0.5}, True)
    assert first.digest == "0" * 64
    assert abs(datetime.now(UTC) - first.created) < timedelta(minutes=1)
    assert connect().get_run(first.run_id).info.run_name == "train"


def test_ten_versions_are_in_order(entry: Callable[..., str]) -> None:
    assert [entry() for _ in range(11)] == [one.version for one in versions("m")]


def test_a_promotion_leaves_who_when_and_against_what(
    store: str, entry: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"records, {store}"
    one, two = entry(name, mase=0.7), entry(name, mase=0.5)
    before = datetime.now(UTC)
    monkeypatch.setenv("LOGNAME", "ada")
    promote(name, one, metric="mase", value=0.7, reason="first")
    monkeypatch.setenv("LOGNAME", "grace")
    promote(name, two)
    first, second = history(name)
    assert (first.version, first.by, first.metric, first.value) == (one, "ada", "mase", 0.7)
    assert (first.previous, first.reason, first.back) == (None, "first", False)
    assert before <= datetime.fromisoformat(first.at) <= datetime.fromisoformat(second.at) <= datetime.now(UTC)
    assert (second.by, second.metric, second.value, second.previous) == ("grace", "mase", 0.5, one)
    (kept,) = [tag for tag in connect().get_model_version(name, one).tags if tag.startswith("promotion.")]
    assert kept.endswith("Z")
    assert str(connect().get_model_version_by_alias(name, "champion").version) == two


def test_who_promotes_is_the_user(entry: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert promote("m", entry()).by == "ada"


def test_the_way_back(entry: Callable[..., str]) -> None:
    for _ in range(4):
        promote("m", entry())
    promote("m", "4")  # once more changes nothing
    assert rollback("m") == "3"
    assert rollback("m") == "2"
    assert (history("m")[-1].reason, history("m")[-1].back) == ("rolled back", True)
    promote("m", "4")
    assert [rollback("m"), rollback("m")] == ["2", "1"]
    with pytest.raises(DataError, match="no earlier champion"):
        rollback("m")
    assert [one.version for one in versions("m") if one.champion] == ["1"]


def test_the_way_back_leaves_out_what_was_deleted(entry: Callable[..., str]) -> None:
    for _ in range(3):
        promote("m", entry())
    connect().delete_model_version("m", "2")
    assert rollback("m") == "1"


def test_the_way_back_from_a_champion_that_was_set_in_mlflow(entry: Callable[..., str]) -> None:
    for _ in range(3):
        entry()
    promote("m", "1")
    promote("m", "2")
    connect().set_registered_model_alias("m", "champion", "3")
    assert rollback("m") == "2"


def cut_short(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion that leaves its record and no more."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_registered_model_alias", dies)
        with pytest.raises(KeyboardInterrupt):
            promote("m", version)


def test_the_way_back_leaves_out_what_never_became_champion(
    entry: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        entry()
    promote("m", "1")
    promote("m", "2")
    cut_short("3", monkeypatch)
    assert latest("m").version == "2"
    promote("m", "4")
    cut_short("3", monkeypatch)
    assert [rollback("m"), rollback("m")] == ["2", "1"]


def test_without_any_promotion_there_is_no_way_back(entry: Callable[..., str]) -> None:
    entry()
    with pytest.raises(DataError, match="no earlier champion; promote one"):
        rollback("m")
    with pytest.raises(DataError, match="'m' has none; promote one"):
        latest("m")
    connect().set_registered_model_alias("m", "champion", "1")
    with pytest.raises(DataError, match="version 1 of 'm' was made champion by other means"):
        latest("m")
    connect().delete_model_version("m", "1")
    with pytest.raises(DataError, match="no model 'm'"):
        versions("m")


def test_what_is_not_there_is_named(entry: Callable[..., str]) -> None:
    for call in (resolve, versions, history, rollback):
        with pytest.raises(DataError, match=r"no model 'sales'; forecaster train .* --name sales"):
            call("sales")
    entry("sales")
    with pytest.raises(DataError, match=r"no champion yet; promote one of 1: "):
        resolve("sales")
    with pytest.raises(DataError, match=r"no version '7'; take one of 1"):
        resolve("sales", "7")
    with pytest.raises(DataError, match=r"no version '7'; take one of 1"):
        promote("sales", "7")
    assert history("sales") == []


def test_a_version_by_number(add: Callable[..., str]) -> None:
    one, two = add(seed=0), add(seed=1)
    promote("m", one)
    assert resolve("m", two).digest != resolve("m").digest
    assert resolve("m").version == one


def test_what_was_fetched_is_not_fetched_again(home: Path, add: Callable[..., str]) -> None:
    promote("m", add())
    first = resolve("m")
    shutil.rmtree(stored(home))
    assert resolve("m") == first


def test_copies_that_nobody_wants_for_a_month_go_when_another_is_fetched(home: Path, add: Callable[..., str]) -> None:
    promote("m", add())
    champion = resolve("m")
    old, wanted, new = (add(seed=seed) for seed in (1, 2, 3))
    unused, used = resolve("m", old), resolve("m", wanted)
    note = copies().note("other")
    note.write_text("damaged")  # so that nobody knows which artifacts are champions
    for one in (champion, unused, used):
        os.utime(one.folder, (0, 0))
    resolve("m", wanted)
    fetched = resolve("m", new)
    assert unused.folder.is_dir()
    note.unlink()
    shutil.rmtree(fetched.folder)
    assert resolve("m", new) == fetched
    assert {file.name for file in (home / "mlruns" / "cache").iterdir() if file.is_dir()} == {
        one.digest for one in (champion, used, fetched)
    }
    assert resolve("m", old) == unused


def test_a_flipped_bit_in_the_store_is_refused(home: Path, add: Callable[..., str]) -> None:
    promote("m", add())
    for file in stored(home).iterdir():
        whole = file.read_bytes()
        for position in (0, len(whole) // 2, len(whole) - 1):
            flip(file, position)
            with pytest.raises(ArtifactError, match=r"version 1 of m: its store holds another .*; roll back") as error:
                resolve("m")
            assert "mlruns/cache" not in str(error.value)
            file.write_bytes(whole)
    assert list((home / "mlruns" / "cache").iterdir()) == []
    resolve("m")


def test_another_artifact_in_its_place_is_refused(home: Path, add: Callable[..., str], artifact: Make) -> None:
    promote("m", add())
    other, _ = artifact(1)
    shutil.rmtree(stored(home))
    shutil.copytree(other, home / "mlruns" / "artifacts" / "other")
    (place,) = (home / "mlruns" / "artifacts" / "models").glob("*/artifacts/artifacts")
    (home / "mlruns" / "artifacts" / "other").rename(place / "artifact")
    with pytest.raises(ArtifactError, match="not the artifact that was registered"):
        resolve("m")


def test_a_store_that_lost_the_artifact_is_named(home: Path, add: Callable[..., str]) -> None:
    promote("m", add())
    shutil.rmtree(stored(home))
    with pytest.raises(ArtifactError, match="version 1 of m cannot be fetched from its store"):
        resolve("m")


def test_a_damaged_copy_is_fetched_anew(add: Callable[..., str]) -> None:
    promote("m", add())
    champion = resolve("m")
    flip(champion.folder / "weights.safetensors", -1)
    assert resolve("m") == champion
    load_artifact(champion.folder)


@pytest.mark.parametrize("seal", ["", "../../../elsewhere", "0" * 63])
def test_a_version_without_a_digest_is_refused(entry: Callable[..., str], seal: str) -> None:
    promote("m", entry())
    connect().set_model_version_tag("m", "1", registry.DIGEST, seal)
    with pytest.raises(ArtifactError, match="no digest"):
        resolve("m")


def test_the_last_champion_serves_while_mlflow_is_down(
    add: Callable[..., str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    promote("m", add(seed=0))
    promote("m", add(seed=1))
    resolve("m", "1")
    champion = resolve("m")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING, logger="pipelines"):
        assert resolve("m") == champion
    assert "does not answer" in caplog.text
    assert resolve("m", "2") == champion
    for name, version in (("m", "1"), ("never seen", None)):
        with pytest.raises(UnavailableError):
            resolve(name, version)
    flip(champion.folder / "weights.safetensors", -1)
    with pytest.raises(UnavailableError):
        resolve("m")
