"""Ten million rows are loaded in seconds and in less than one GiB."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

SERIES, STEPS = 10_000, 1_000
# The peak of this program alone: ru_maxrss counts that of the process which has started it, too.
LOAD = """
import re, sys, time
from pathlib import Path
from pipelines.sources.read import read

began = time.perf_counter()
panel = read(sys.argv[1])
seconds = time.perf_counter() - began
assert (len(panel), panel.total, panel.frequency.name) == (10_000, 10_000_000, "h")
assert panel.series(7)[:3].tolist() == [7.0, 10_007.0, 20_007.0]
kibibytes = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(seconds, int(kibibytes) / 2**20)
"""


def test_ten_million_rows(tmp_path: Path) -> None:
    hours = np.datetime64("2020-01-01", "us") + np.arange(STEPS) * np.timedelta64(1, "h")
    names = pa.array([f"series {i:05d}" for i in range(SERIES)])
    table = pa.table(  # ordered by time, so that no two rows of a series are neighbours
        {
            "unique_id": pa.DictionaryArray.from_arrays(np.tile(np.arange(SERIES, dtype=np.int32), STEPS), names),
            "ds": np.repeat(hours, SERIES),
            "y": np.arange(SERIES * STEPS, dtype=np.float64),
        }
    )
    path = tmp_path / "large.parquet"
    pyarrow.parquet.write_table(table, path)
    del table
    run = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, gibibytes = map(float, run.stdout.split())
    assert gibibytes < 1
    assert seconds < 30  # two or three on a machine that does nothing else
