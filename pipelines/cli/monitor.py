"""The command `forecaster monitor`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import Data, Duplicates, Name, Zone, mendable
from pipelines.monitoring.settings import MonitorSettings

app = typer.Typer()


@app.command()
@mendable()
def monitor(
    forecasts: Annotated[Path, typer.Argument(help="Folder of kept forecasts, or a Parquet file of a batch.")],
    actuals: Data,
    name: Name = "forecaster",
    group: Annotated[str | None, typer.Option(help="Static column by which series are judged together.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Days that are judged; eight horizons at least.")] = 28,
    versions: Annotated[str, typer.Option(help="Whose forecasts: champion, or all.")] = "champion",
    report: Annotated[Path | None, typer.Option(help="HTML file to write.")] = None,
    metrics: Annotated[Path | None, typer.Option(help=".prom file for node_exporter's textfile collector.")] = None,
    webhook: Annotated[str | None, typer.Option(help="URL told of breaches; ${VARIABLE} is read when called.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Read nothing later: a date is its first moment.")] = None,
    zone: Zone = None,
    duplicates: Duplicates = "error",
) -> None:
    """Hold kept forecasts against what came, what the backtest promised and seasonal naive. Exits with 3 on a breach.

    forecaster monitor kept/ sales.csv --name sales --report monitor.html
    """
    from pipelines.monitoring.monitor import monitor as run

    settings = MonitorSettings.model_validate(
        {
            "forecasts": forecasts,
            "source": actuals,
            "name": name,
            "group": group,
            "days": days,
            "versions": versions,
            "report": report,
            "metrics": metrics,
            "webhook": webhook,
            "as_of": as_of,
            "zone": zone,
            "duplicates": duplicates,
        }
    )
    made = run(settings)
    for figure, value in made.overall.items():
        print(f"{figure:20} {value:.4f}")
    for sentence in [breach.sentence for breach in made.breaches] or [made.verdict]:
        print(sentence)
    raise typer.Exit(made.code)
