"""CustomerInvoiceService: its commands (asks) and its questions (reads)."""
