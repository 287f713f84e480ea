"""From a table to a registered version: candidates, their training, and which of them wins."""
