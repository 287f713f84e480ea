"""What all pictures have in common: an empty figure, its axis of times and its legend, with no state of pyplot."""

import pandas as pd
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy import ndarray

INK, QUIET, GRID = "#22313f", "#7b8794", "#e4e7eb"
FORECAST, SECOND = "#1f6feb", "#d9480f"
COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#e67700", "#0b7285", "#c2255c", "#495057")


def canvas(title: str, size: tuple[float, float] = (7.5, 4.0)) -> tuple[Figure, Axes]:
    """An empty figure."""
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=12)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(colors=QUIET, length=0, labelsize=9)
    axes.xaxis.label.set_color(QUIET)
    axes.yaxis.label.set_color(QUIET)
    return figure, axes


def along(axes: Axes, times: pd.DatetimeIndex | Int64[ndarray, "steps"]) -> ndarray:
    """Where times lie on the axis: instants, labelled with the clock of their zone."""
    if not isinstance(times, pd.DatetimeIndex):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return times
    locator = AutoDateLocator(tz=times.tz)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=times.tz)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    return (times if times.tz is None else times.tz_convert("UTC").tz_localize(None)).to_numpy()


def legend(axes: Axes) -> None:
    """Beside the axes."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9, labelcolor=INK)
