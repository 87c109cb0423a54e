"""WorkService: what there is to do, for whom, by when and how, and who does it."""
