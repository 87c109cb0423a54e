"""The service itself: ``fulfilment status``, ``doctor``, ``rebuild``, ``snapshots`` and ``tenant``."""
