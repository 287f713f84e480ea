"""From an artifact folder to a Bento, which serves it without this repository and without MLflow.

`python -m service.package ARTIFACT --name NAME --version VERSION` builds one and prints where it is.
"""

import argparse
import os
import shutil
import sys
import tempfile
from importlib.metadata import version as installed
from pathlib import Path

import bentoml

from forecaster.errors import ArtifactError
from service.serve import check
from service.source import PACKED, stage

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("forecaster", "pipelines", "service")
PACKAGES = (
    *("cachetools", "httptools", "jaxtyping", "numpy", "orjson", "pandas", "prometheus_client", "pyarrow"),
    *("pydantic", "safetensors", "sqlalchemy", "starlette", "torch", "uvloop"),
)
"""What the service imports when it runs; BentoML adds itself."""
CPU_TORCH = "https://download.pytorch.org/whl/cpu"


def package(artifact: Path, name: str, version: str) -> bentoml.Bento:
    """Build a Bento in BentoML's store, with the model inside.

    Every package that the service imports is pinned to the version installed here. Raises ArtifactError
    where the artifact is not sound.
    """
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        for floor in FLOORS:
            shutil.copytree(ROOT / floor, context / floor, ignore=shutil.ignore_patterns("__pycache__", "sample"))
        check(stage(context / PACKED.name, artifact, name, version))
        return bentoml.build(
            "service.app:Forecaster",
            build_ctx=str(context),
            include=[f"{part}/**" for part in (*FLOORS, PACKED.name)],
            labels={"model": name, "version": version},
            description=f"Forecasts by the model {name!r}, version {version}: POST /forecast.",
            python={
                "packages": [f"{package}=={_public(installed(package))}" for package in PACKAGES],
                "extra_index_url": [CPU_TORCH],
                "lock_packages": False,
            },
        )


def _public(version: str) -> str:
    """Without a build's label, as in 2.13.0+cpu: the machine that installs it takes the build it needs."""
    return version.partition("+")[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m service.package", description="Build a Bento.")
    parser.add_argument("artifact", type=Path, help="folder of a trained model, with spec.json in it")
    parser.add_argument("--name", default="forecaster", help="what answers call the model")
    parser.add_argument("--version", default="1", help="and its version")
    chosen = parser.parse_args()
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
    try:
        bento = package(chosen.artifact, chosen.name, chosen.version)
    except (ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)  # what a person has to mend, as of every command
    print(f"{bento.tag} in {bento.path}")
