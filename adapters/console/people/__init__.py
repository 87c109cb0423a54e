"""What is kept of people, and for how long: ``fulfilment person`` and ``erase``."""
