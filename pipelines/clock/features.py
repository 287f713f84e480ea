"""Features of time: where in the day, the week and the year it is."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from numpy.typing import NDArray

from pipelines.clock.frequency import Frequency
from pipelines.clock.zone import DAY, Times, local

_LENGTHS = {"day": DAY, "week": 7 * DAY, "year": 366 * DAY}
_TWICE = {"day": 2 * DAY, "week": 14 * DAY, "year": 104 * 7 * DAY}
_WAVES = {"sin": np.sin, "cos": np.cos}
_CYCLES = {
    "bh": ("day", "week", "year"),
    "D|B": ("week", "year"),
    "W-.*|SM.*|B?M[SE]|L?WOM.*|B?Q.*|REQ.*": ("year",),
}


def calendar_names(frequency: Frequency, span: int) -> tuple[str, ...]:
    """Features of the time of day, week and year that vary at a frequency, sine and cosine of each; none for 'step'.

    Only of what comes around twice in `span` nanoseconds: what was seen once tells a network which part of its data it
    reads, to be learned by heart.
    """
    cycles = [cycle for cycle in _cycles(frequency) if _TWICE[cycle] <= span]
    return tuple(f"{cycle}_{wave}" for cycle in cycles for wave in _WAVES)


def calendar_features(times: Times, zone: str | None, names: Sequence[str]) -> Float32[ndarray, "rows features"]:
    """Features of times by their names, on the wall clock."""
    features = np.empty((len(times), len(names)), dtype=np.float32)
    cycles = dict.fromkeys(name.split("_")[0] for name in names)
    wall = local(times, zone) if cycles else times
    angles = {cycle: (2 * np.pi * _phase(wall, cycle)).astype(np.float32) for cycle in cycles}
    for column, name in enumerate(names):
        cycle, wave = name.split("_")
        _WAVES[wave](angles[cycle], out=features[:, column])
    return features


def _cycles(frequency: Frequency) -> tuple[str, ...]:
    if frequency.is_fixed:
        return tuple(cycle for cycle, length in _LENGTHS.items() if frequency.width % length)
    if frequency.name == "7D":
        return ("year",)
    return next((cycles for base, cycles in _CYCLES.items() if re.fullmatch(base, frequency.base)), ())


def _phase(wall: Times, cycle: str) -> NDArray[np.float64]:
    """How far into its cycle each wall time is, from 0 to 1: since midnight, since Monday, since New Year."""
    if cycle == "year":
        wall = wall - wall.view("datetime64[ns]").astype("datetime64[Y]").astype("datetime64[ns]").view(np.int64)
    elif cycle == "week":
        wall = wall + 3 * DAY  # 1970 began on a Thursday
    return wall % _LENGTHS[cycle] / _LENGTHS[cycle]
