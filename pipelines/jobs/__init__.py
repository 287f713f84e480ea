"""The jobs: each a small file that says what is to be done, run once for a date."""
