"""One state that runs on, against windows that each stand alone: `python -m benchmarks.streaming`.

For every set the same job trains three recipes for about as long: an LSTM whose state runs along whole histories, the
same network on random windows, and LSTMs that read a window in both directions. What is compared is the loss on the
origins that the job holds out for its test, never an official test part.
"""

import json
import math
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from benchmarks.files import RESULTS, SHARED, Folder, found
from benchmarks.long import read
from benchmarks.provenance import provenance
from benchmarks.published import LONG
from pipelines.training import job
from pipelines.training.settings import TrainSettings

RECIPES = ("lstm", "lstm_windows", "bidirectional")
SETS = {
    "m4_hourly_train": (48, 24),
    "m3_monthly_train": (18, 12),
    "m3_quarterly_train": (8, 4),
    "m3_yearly_train": (6, 1),
    "nn5_daily_train": (56, 7),
    "carparts_monthly_train": (12, 12),
    "ETTh1": (96, None),
    "exchange_rate_daily": (96, None),
    "national_illness_weekly": (24, None),
    "vic_elec_30min": (48, None),
    "pedestrian_hourly": (24, None),
    "aus_retail_monthly": (12, None),
    "aus_tourism_quarterly": (8, None),
    "us_gasoline_weekly": (52, None),
    "taylor_30min": (48, 48),
    "nyc_taxi_30min": (48, None),
    "los_speed_5min": (12, None),
}
"""Files with their horizons, and the season where time is only counted."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(SETS)}; all if left out.")] = None,
    budget: Annotated[float, typer.Option(help="Seconds of training for each set.")] = 60.0,
    seed: int = 0,
    data: Folder = SHARED,
) -> None:
    """Print the losses, the others as shares of that of the streaming one, and keep those of all sets."""
    rows = {}
    print(f"{'data':26}{RECIPES[0]:>16}" + "".join(f"{name:>16}" for name in RECIPES[1:]))
    for name in names or SETS:
        rows[name] = losses = compare(history(data, name), *SETS[name], budget, seed)
        shares = "".join(f"{losses[recipe] / losses[RECIPES[0]]:16.3f}" for recipe in RECIPES[1:])
        print(f"{name:26}{losses[RECIPES[0]]:16.4f}{shares}", flush=True)
    for recipe in RECIPES[1:]:
        logs = [math.log(losses[recipe] / losses[RECIPES[0]]) for losses in rows.values()]
        print(f"{recipe}: {math.exp(sum(logs) / len(logs)):.3f} on average")
    if names:
        return
    result = {"losses": rows, "budget": budget, "seed": seed, **provenance()}
    (RESULTS / "streaming.json").write_text(json.dumps(result, indent=1) + "\n")


def history(folder: Path, name: str) -> pd.DataFrame:
    """The series of a set, without the part that its protocol tests on."""
    series = read(found(folder, name))
    last = {one.file: one.borders[1] for one in LONG.values()}
    return series.groupby("unique_id").head(last[name]) if name in last else series


def compare(series: pd.DataFrame, horizon: int, season: int | None, budget: float, seed: int) -> dict[str, float]:
    """The loss of each recipe on the origins that one job holds out."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        source = Path(folder) / "series.csv"
        series.to_csv(source, index=False)
        settings = TrainSettings(
            source=source, horizon=horizon, season=season, recipes=RECIPES, budget=budget, seed=seed
        )
        candidates = job.run(settings).candidates
        return {one.name: one.test.loss for one in candidates if one.name in RECIPES and one.test is not None}


if __name__ == "__main__":
    typer.run(main)
