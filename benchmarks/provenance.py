"""What is needed to judge a result and to repeat it."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def provenance() -> dict[str, object]:
    """Commit, date, the machine and how busy it was over the last quarter of an hour, versions."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "processors": os.cpu_count(),
        "processor": _processor(),
        "load_average": round(os.getloadavg()[2], 1),
        "versions": {package: version(package) for package in ("torch", "numpy", "pandas")},
    }


def _processor() -> str:
    """What the system calls it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
