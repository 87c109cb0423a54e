"""SupplierInvoiceService: its commands (asks), its questions (reads), what it shows of states (shows)."""
