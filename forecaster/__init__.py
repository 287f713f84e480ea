"""Tensors: recurrent cores, heads, models, training, calibration and the artifact. Knows no table, no clock, no server."""
