"""How fast it is, and beside what: ``make bench`` measures, RESULTS.md keeps what was measured."""
