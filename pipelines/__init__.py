"""Time and tables: from files to panels, and the jobs that train, compare and forecast."""
