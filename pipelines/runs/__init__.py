"""What every job stands on: the ledger of runs, where their parts are done, faults that pass, fields of settings."""
