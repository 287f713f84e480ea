"""An artifact comes back bit for bit or not at all."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save as pack

from forecaster.artifact import (
    CALIBRATION,
    DEPENDENCE,
    MANIFEST,
    SPEC,
    WEIGHTS,
    Artifact,
    digest,
    load_artifact,
    save,
)
from forecaster.conformal import Calibrator
from forecaster.errors import ArtifactError
from forecaster.manifest import ArtifactSpec, Category, Covariate, DataSpec, Training
from forecaster.paths import CAUTIOUS, Dependence
from forecaster.quantiles import LEVELS
from forecaster.spec import FitSpec
from tests import laws
from tests.examples import MODELS, Example, batch


def artifact(example: Example, calibrated: bool = True) -> Artifact:
    spec = ArtifactSpec(
        candidate="größe/序列",
        data=DataSpec(
            frequency="h",
            zone="Australia/Melbourne",
            known=(Covariate(name="temp", mean=0.1, deviation=1 / 3),),
            static=(Category(name="city", values=("a", "ü")),),
        ),
        task=example.task,
        model=example.spec,
        fit=FitSpec(learning_rate=0.1 + 0.2),
        training=Training(series=3, observations=100, start=None, until="2024-01-01T00:00:00+11:00", digest="0"),
        packages={"torch": torch.__version__},
    )
    random = np.random.default_rng(0)
    calibrator = Calibrator(LEVELS, random.normal(size=(example.task.horizon, len(LEVELS) // 2)), 1234)
    dependence = Dependence(np.array([[1, 0.5, 0.3], [0.5, 1, 1 / 3], [0.3, 1 / 3, 1]]))
    learned = (calibrator, dependence) if calibrated else ()
    return Artifact(spec, example.model(1), *learned)


FILES = [SPEC, WEIGHTS, CALIBRATION, DEPENDENCE, MANIFEST]


def reseal(folder: Path, **changed: bytes) -> None:
    """Write files and the sums that fit them, as an attacker or another program might."""
    for name, content in changed.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    names = [path.name for path in folder.iterdir() if path.name != MANIFEST]
    write_manifest(folder, {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names})


def write_manifest(folder: Path, sums: object) -> None:
    (folder / MANIFEST).write_text(json.dumps(sums, indent=1))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts") / "gru"
    save(artifact(MODELS["gru covariates"]), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("calibrated", [True, False])
def test_round_trip_is_exact(name: str, calibrated: bool, tmp_path: Path) -> None:
    example = MODELS[name]
    made = artifact(example, calibrated)
    folder = tmp_path / "there" / "artifact"
    assert save(made, folder) == digest(folder)
    back = load_artifact(folder)
    assert back.spec == made.spec
    assert not back.model.training
    weights, expected = back.model.state_dict(), made.model.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    if made.calibrator is None:
        assert back.calibrator is None
        assert back.dependence is CAUTIOUS, "as in artifacts from before there were paths"
    else:
        assert back.calibrator is not None
        assert np.array_equal(back.calibrator.shares, made.calibrator.shares)
        assert np.array_equal(back.dependence.correlation, made.dependence.correlation)
    series = batch(example.task, 2, 2 * back.model.stride, 0)
    known = laws.future_known(series, 9)
    with torch.no_grad():
        one, other = (
            model.forecast(model.observe(model.start(2), series), 9, known) for model in (made.model, back.model)
        )
    assert all(torch.equal(laws.fields(one)[field], laws.fields(other)[field]) for field in laws.fields(one))


def test_the_same_artifact_has_the_same_digest(saved: Path, tmp_path: Path) -> None:
    assert save(artifact(MODELS["gru covariates"]), tmp_path / "again") == digest(saved)
    assert save(artifact(MODELS["gru covariates"], calibrated=False), tmp_path / "other") != digest(saved)


def test_an_interrupted_save_leaves_nothing_behind_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "artifact.new").mkdir()
    (tmp_path / "artifact.new" / "rubbish").touch()
    save(artifact(MODELS["naive"]), tmp_path / "artifact")
    load_artifact(tmp_path / "artifact")
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_an_artifact_is_not_overwritten(saved: Path) -> None:
    before = digest(saved)
    with pytest.raises(OSError, match="not empty"):
        save(artifact(MODELS["naive"]), saved)
    assert digest(saved) == before


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_refused(folder: Path, data: st.DataObject) -> None:
    file = folder / data.draw(st.sampled_from(FILES))
    content = file.read_bytes()
    place, flip = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    file.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
    try:
        with pytest.raises(ArtifactError):
            load_artifact(folder)
    finally:
        file.write_bytes(content)


def test_white_space_of_the_manifest_counts(folder: Path) -> None:
    """It would leave the sums as they are, but not the digest."""
    content = (folder / MANIFEST).read_bytes()
    for place, byte in enumerate(content):
        for other in b" \n\t\r":
            if byte in b" \n" and byte != other:
                (folder / MANIFEST).write_bytes(content[:place] + bytes([other]) + content[place + 1 :])
                with pytest.raises(ArtifactError):
                    load_artifact(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_cut_file_is_refused(folder: Path, name: str, cut: int) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:cut])
    with pytest.raises(ArtifactError) as error:
        load_artifact(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError):
        load_artifact(folder)


def test_an_extra_file_is_refused(folder: Path) -> None:
    (folder / "extra.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"extra\.json"):
        load_artifact(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nowhere"):
        load_artifact(tmp_path / "nowhere")


@pytest.mark.parametrize("outside", ["../secret", "{tmp}/secret", "sub/../../secret", "..", ".", "", "a\0b"])
def test_a_manifest_cannot_reach_out_of_the_folder(folder: Path, outside: str) -> None:
    secret = folder.parent / "secret"
    secret.write_text("secret")
    sums = json.loads((folder / MANIFEST).read_text())
    name = outside.format(tmp=folder.parent)
    write_manifest(folder, sums | {name: hashlib.sha256(b"secret").hexdigest()})
    with pytest.raises(ArtifactError):
        load_artifact(folder)


@pytest.mark.parametrize("sums", [None, 1, "spec.json", [], ["spec.json"], {}, {"spec.json": 1}, {"spec.json": None}])
def test_a_manifest_of_another_shape_is_refused(folder: Path, sums: object) -> None:
    write_manifest(folder, sums)
    with pytest.raises(ArtifactError):
        load_artifact(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"spec_json": b"{}"},
        {"spec_json": b"\xff"},
        {"weights_safetensors": b""},
        {"weights_safetensors": b"\x80\x04}\x94."},  # a pickle
        {"calibration_json": b'{"levels": [0.5], "shares": "x", "residuals": 1}'},
        {"calibration_json": b"\xff"},
        {"dependence_safetensors": b""},
        {"dependence_safetensors": pack({"other": torch.ones(1, 1)})},
        {"dependence_safetensors": pack({"correlation": torch.ones(3)})},
        {"dependence_safetensors": pack({"correlation": torch.ones(2, 3)})},
        {"dependence_safetensors": pack({"correlation": torch.ones(2, 2)})},
        {"dependence_safetensors": pack({"correlation": torch.eye(2) * torch.nan})},
    ],
)
def test_sealed_nonsense_is_refused(folder: Path, changed: dict[str, bytes]) -> None:
    reseal(folder, **changed)
    with pytest.raises(ArtifactError, match="not an artifact that this version can read"):
        load_artifact(folder)


def test_another_format_is_refused(folder: Path) -> None:
    spec = json.loads((folder / SPEC).read_text())
    reseal(folder, spec_json=json.dumps(spec | {"format": 2}).encode())
    with pytest.raises(ArtifactError, match="format"):
        load_artifact(folder)


def test_weights_of_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    save(artifact(MODELS["gru"]), tmp_path / "other")
    reseal(folder, weights_safetensors=(tmp_path / "other" / WEIGHTS).read_bytes())
    with pytest.raises(ArtifactError, match="not an artifact"):
        load_artifact(folder)
