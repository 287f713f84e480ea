"""Series that live on between requests: their steps in a database, what is left of them in memory."""
