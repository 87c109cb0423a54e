"""EdgeService: connections to foreign systems, and what was received by them."""
