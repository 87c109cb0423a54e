"""What was recorded, and whether it is whole: ``fulfilment history``, ``log`` and ``audit``."""
