"""Pictures of forecasts and of how good they are, each a matplotlib figure."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy import ndarray

from pipelines.evaluation.canvas import COLOURS, FORECAST, INK, QUIET, SECOND, along, canvas, legend

FEW = 40
"""Up to so many points are drawn as dots too, so that a single one is seen."""


def fan(
    history: Float64[ndarray, "context"],
    actual: Float64[ndarray, "horizon"],
    quantiles: Float64[ndarray, "horizon levels"],
    levels: Sequence[float],
    times: pd.DatetimeIndex | Int64[ndarray, "steps"],
    title: str,
) -> Figure:
    """A forecast as a fan of its central intervals over what came; NaN leaves a gap.

    `levels` ascend and have 0.5 among them; `times` are those of the history and then of the forecast.
    """
    figure, axes = canvas(title, (9.5, 4.0))
    positions = along(axes, times)
    ahead = positions[len(history) :]
    widths = {round(1 - 2 * level, 6): k for k, level in enumerate(levels) if level < 0.5 and _mirrored(levels, k)}
    for width, k in sorted(widths.items(), reverse=True):  # the inner ones lie over the outer ones and so are darker
        low, high = quantiles[:, k], quantiles[:, len(levels) - 1 - k]
        label = f"{width:.0%} interval" if width == max(widths) else None
        axes.fill_between(ahead, low, high, color=FORECAST, alpha=0.8 / (len(widths) + 1), linewidth=0, label=label)
    axes.axvline(ahead[0], color=QUIET, linewidth=0.8, linestyle=(0, (4, 4)))
    axes.plot(
        positions,
        np.concatenate([history, actual]),
        color=INK,
        linewidth=1.2,
        marker=_dot(positions),
        markersize=2.5,
        label="observed",
    )
    axes.plot(
        ahead,
        quantiles[:, levels.index(0.5)],
        color=FORECAST,
        linewidth=1.8,
        marker=_dot(ahead),
        markersize=2.5,
        label="median forecast",
    )
    legend(axes)
    return figure


def chances(
    history: Float64[ndarray, "context"],
    actual: Float64[ndarray, "horizon"],
    probabilities: Float64[ndarray, "horizon labels"],
    labels: Sequence[str],
    times: pd.DatetimeIndex | Int64[ndarray, "steps"],
    title: str,
) -> Figure:
    """The probabilities of each label as shades, a row by label, under the labels that came; codes that are none of
    them, and NaN, leave a gap."""
    figure, axes = canvas(title, (9.5, 1.5 + 0.4 * min(len(labels), 12)))
    positions = along(axes, times)
    ahead = positions[len(history) :]
    rows = np.arange(len(labels))
    shades = axes.pcolormesh(ahead, rows, probabilities.T, cmap="Blues", vmin=0, vmax=1, shading="nearest")
    figure.colorbar(shades, ax=axes, format=PercentFormatter(1, 0), label="probability")
    codes = np.concatenate([history, actual])
    axes.plot(
        positions,
        np.where(codes < len(labels), codes, np.nan),
        color=INK,
        linewidth=0,
        marker="o",
        markersize=3,
        label="observed",
    )
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(-0.5, len(labels) - 0.5)
    legend(axes)
    return figure


def coverage_by_step(coverage: Mapping[float, Float64[ndarray, "horizon"]]) -> Figure:
    """The share of values inside their interval by step ahead, for each nominal share (0.8 for 80 %)."""
    figure, axes = canvas("Coverage by step ahead")
    for colour, (nominal, share) in zip(COLOURS, sorted(coverage.items()), strict=False):
        steps = np.arange(1, len(share) + 1)
        axes.axhline(nominal, color=colour, linewidth=1, linestyle=(0, (4, 4)), alpha=0.7)
        axes.plot(
            steps,
            share,
            color=colour,
            linewidth=1.6,
            marker=_dot(steps),
            markersize=2.5,
            label=f"of the {nominal:.0%} interval",
        )
    lowest = min([np.nanmin(share, initial=1.0) for share in coverage.values()], default=0.0)
    axes.set_ylim(max(min(lowest, *coverage, 0.75) - 0.05, 0.0), 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _by_step(axes)
    return figure


def loss_curve(loss: Sequence[float], validation: Sequence[float]) -> Figure:
    """Loss and validation by epoch, with the best validation marked; a validation of NaN is not shown."""
    figure, axes = canvas("Learning curve")
    epochs, later = np.arange(len(loss)), np.asarray(validation, dtype=np.float64)
    axes.plot(epochs, loss, color=INK, linewidth=1.4, marker=_dot(epochs), markersize=2.5, label="training loss")
    if np.isfinite(later).any():
        best = int(np.nanargmin(later))
        axes.plot(
            epochs,
            later,
            color=SECOND,
            linewidth=1.4,
            marker=_dot(epochs),
            markersize=2.5,
            label="validation",
        )
        axes.plot(
            best,
            later[best],
            "o",
            color=SECOND,
            markersize=7,
            markerfacecolor="white",
            label=f"best: epoch {best}",
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend(axes)
    return figure


def metric_by_step(candidates: Mapping[str, Float64[ndarray, "horizon"]], metric: str) -> Figure:
    """One error by step ahead for every candidate; the best one is heavier and first in the legend."""
    figure, axes = canvas(f"{metric} by step ahead")
    ranked = sorted(candidates.items(), key=lambda item: float(np.nan_to_num(item[1], nan=np.inf).mean()))
    for place, (name, error) in enumerate(ranked):
        steps = np.arange(1, len(error) + 1)
        width, above = (2.4, 3.0) if place == 0 else (1.4, 2.0)
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(
            steps,
            error,
            color=colour,
            linewidth=width,
            zorder=above,
            marker=_dot(steps),
            markersize=2.5,
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel(metric)
    _by_step(axes)
    return figure


def fading(shares: Mapping[str, Float64[ndarray, "back"]], gone: float) -> Figure:
    """What is left of a gradient by step back, for each part of the state; under the share `gone` it counts as gone."""
    figure, axes = canvas("Gradient of the last loss by the state before")
    axes.set_yscale("log", nonpositive="mask")
    axes.axhline(gone, color=QUIET, linewidth=1, linestyle=(0, (4, 4)), label=f"{gone:.0%}")
    for place, (name, share) in enumerate(shares.items()):
        back = np.arange(1, len(share) + 1)
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(back, share, color=colour, linewidth=1.6, marker=_dot(back), markersize=2.5, label=name)
    axes.set_xlabel("recurrent steps back")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend(axes)
    return figure


def _mirrored(levels: Sequence[float], k: int) -> bool:
    return abs(levels[k] + levels[len(levels) - 1 - k] - 1) < 1e-9


def _dot(steps: ndarray) -> str:
    return "o" if len(steps) <= FEW else ""


def _by_step(axes: Axes) -> None:
    axes.set_xlabel("step ahead")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend(axes)
