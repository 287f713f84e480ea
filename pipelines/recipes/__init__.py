"""Recipes: a YAML file for each candidate, found by its name."""
