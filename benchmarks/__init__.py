"""How fast it is, and compared with what: ``make bench`` measures, RESULTS.md keeps the results."""
