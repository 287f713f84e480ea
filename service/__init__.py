"""Requests and responses: the HTTP service around a champion. Knows no optimiser."""
