"""Where the data sets lie, and where results are kept."""

from pathlib import Path
from typing import Annotated

import typer

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Beside the repository, of which the data sets are no part."""

Folder = Annotated[Path, typer.Option(help="Folder with the data sets; benchmarks/README.md tells what is in it.")]
"""The option `--data`."""


def found(folder: Path, name: str) -> Path:
    """The file of a data set. Raises typer.BadParameter where it is not there."""
    file = folder.resolve() / f"{name}.csv.gz"
    if not file.exists():
        raise typer.BadParameter(f"{file} is not there; benchmarks/README.md tells what it is", param_hint="--data")
    return file
