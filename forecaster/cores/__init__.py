"""Cores beyond single cells, and what stands around a core: scale, encoders, decoders."""
