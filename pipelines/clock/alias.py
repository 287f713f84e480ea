"""Names of frequencies: what pandas calls them, has called them or will call them, to one canonical name."""

import re
import warnings
from functools import lru_cache

from pandas.tseries import offsets as pandas_offsets
from pandas.tseries.frequencies import to_offset

from forecaster.errors import DataError
from pipelines.clock.zone import DAY, HOUR, MINUTE, SECOND

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
TICKS = {"h": HOUR, "min": MINUTE, "s": SECOND, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of the units whose length is fixed."""
_TICK_TYPES = tuple(getattr(pandas_offsets, name) for name in ("Hour", "Minute", "Second", "Milli", "Micro", "Nano"))
# fmt: off
# Names that pandas has given up or is about to, and names that without a list of holidays mean the same.
_RENAMED = {
    "H": "h", "T": "min", "MIN": "min", "S": "s", "L": "ms", "U": "us", "N": "ns", "BH": "bh", "CBH": "bh",
    "cbh": "bh", "d": "D", "w": "W", "b": "B", "c": "B", "C": "B", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE",
    "AS": "YS", "BM": "BME", "BQ": "BQE", "BY": "BYE", "BA": "BYE", "BAS": "BYS", "SM": "SME",
    "CBM": "BME", "CBME": "BME", "CBMS": "BMS",
}
# fmt: on


@lru_cache(maxsize=1024)
def canonical(name: str) -> str:
    """The canonical name of a pandas alias, 'step' for itself; DataError if pandas does not know it."""
    if name == "step":
        return name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            offset = to_offset(re.sub(r"[A-Za-z]+", lambda word: _RENAMED.get(word[0], word[0]), name, count=1))
    except (ValueError, TypeError, OverflowError, Warning) as error:
        raise _unknown(name) from error
    ticks = isinstance(offset, _TICK_TYPES)
    size = offset.nanos if ticks else offset.n * DAY
    if not 0 < size < 2**62:  # times are counted in 64 bits
        raise _unknown(name)
    if ticks:
        base = next(unit for unit, width in TICKS.items() if size % width == 0)
        count = size // TICKS[base]
    else:
        count, base = offset.n, re.sub(r"^\d+", "", offset.freqstr)
    if match := re.fullmatch(r"(B?Q[SE])-([A-Z]{3})", base):  # QS-OCT is the grid of QS-JAN
        turn = MONTHS.index(match[2]) % 3
        base = f"{match[1]}-{MONTHS[turn] if match[1].endswith('S') else MONTHS[(turn - 3) % 12]}"
    return f"{count if count > 1 else ''}{base}"


def _unknown(name: str) -> DataError:
    return DataError(f"unknown frequency {name!r}", remedy="use one of pandas: h, 30min, D, B, W-SUN, MS")
