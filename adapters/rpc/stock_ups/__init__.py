"""StockUpService: its commands (asks), its questions (reads)."""
