"""What people ask: read models that are folded from the log, thrown away and rebuilt at will."""
