"""What customers, suppliers and staff are told: ``fulfilment message`` and ``text``."""
