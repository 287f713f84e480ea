"""Registered models: versions, who is champion and since when, and copies of them on this machine."""
