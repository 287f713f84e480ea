"""Pictures of how forecasts did, as matplotlib figures."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy import ndarray

from pipelines.evaluation.canvas import FORECAST, INK, QUIET, SECOND, along, canvas, legend
from pipelines.monitoring.report import Report
from pipelines.monitoring.verdicts import NOMINAL

_DASHED = (0, (4, 4))
_REACH = 6  # deviations from the median that the picture of drift shows


def pictures(report: Report) -> dict[str, Figure]:
    """By title; what has no data is not there."""
    made = {}
    if len(report.by_day):
        made["error by day"] = _error(report.by_day, "day", "Error by day")
        made["coverage by day"] = _coverage(report.by_day, "day", "Coverage of the 80 % interval by day")
        made["error by step"] = _error(report.by_step, "step", "Error by step ahead")
        made["coverage by step"] = _coverage(report.by_step, "step", "Coverage of the 80 % interval by step ahead")
    if report.drift.before.size and report.drift.since.size:
        made["drift"] = _drift(report)
    return made


def _error(table: pd.DataFrame, by: str, title: str) -> Figure:
    figure, axes = canvas(title)
    at = _along(axes, table[by])
    lines = {"naive_error": ("seasonal naive", SECOND), "promised_error": ("promised", QUIET)}
    for column, (label, colour) in lines.items():
        if table[column].notna().any():
            axes.plot(at, table[column], color=colour, linewidth=1.2, linestyle=_DASHED, label=label)
    axes.plot(at, table["error"], color=FORECAST, linewidth=2, marker=".", label="forecasts")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("MASE")
    legend(axes)
    return figure


def _coverage(table: pd.DataFrame, by: str, title: str) -> Figure:
    figure, axes = canvas(title)
    at = _along(axes, table[by])
    axes.axhline(NOMINAL, color=INK, linewidth=1, linestyle=_DASHED, label="nominal")
    if table["promised_coverage"].notna().any():
        axes.plot(at, table["promised_coverage"], color=QUIET, linewidth=1.2, linestyle=_DASHED, label="promised")
    bounds = table["coverage_low"], table["coverage_high"]
    axes.fill_between(at, *bounds, color=FORECAST, alpha=0.15, linewidth=0, label="exact 95 % bounds")
    axes.plot(at, table["coverage"], color=FORECAST, linewidth=2, marker=".", label="forecasts")
    axes.set_ylim(max(0.0, min(table["coverage_low"].min(), 0.6) - 0.05), 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    legend(axes)
    return figure


def _drift(report: Report) -> Figure:
    figure, axes = canvas("Values since training against those in training")
    edges = np.linspace(-_REACH, _REACH, 61)
    for values, colour, label in (
        (report.drift.before, QUIET, "in training"),
        (report.drift.since, FORECAST, "since"),
    ):
        weights = np.full(len(values), 1 / len(values))
        shown = np.clip(values, -_REACH, _REACH)
        axes.hist(shown, bins=edges.tolist(), weights=weights, color=colour, alpha=0.5, label=label)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("deviations from the median of the series in training")
    legend(axes)
    return figure


def _along(axes: Axes, values: pd.Series) -> ndarray:
    return along(axes, pd.DatetimeIndex(values) if values.dtype.kind == "M" else values.to_numpy())
