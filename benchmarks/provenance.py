"""What is needed to judge a result and to repeat it."""

import os
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version


def provenance() -> dict[str, object]:
    """Commit, date, the machine and how busy it was over the last quarter of an hour, versions."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[2], 1),
        "versions": {package: version(package) for package in ("torch", "numpy", "pandas")},
    }
