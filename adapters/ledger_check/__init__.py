"""``python server.py check``: reads a whole ledger and recomputes what must hold of it. It changes nothing."""
