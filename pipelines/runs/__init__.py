"""What every job stands on: the ledger of runs, where their parts are done, and the faults that pass."""
