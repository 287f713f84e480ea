"""Where data lies: files here or by URL and tables of databases, to be read and written."""
