"""Tensors: recurrent cores, heads, models, training, calibration, the artifact. No table, no clock, no server."""

import os

# Before torch is imported: its threads wait asleep for work, not spinning. On a machine with anything else to do (a
# second server, another job) spinning made an update of training ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
