"""Tensors: recurrent cores, heads, models, training, calibration, the artifact. No table, no clock, no server."""

import os

# Before torch is imported: its threads spin for a few microseconds when they wait for work, and then sleep. Small
# networks have many short waits, and took half as long again without any spinning; with as much as is usual, an update
# took ten times as long on a machine with anything else to do (a second server, another job).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
