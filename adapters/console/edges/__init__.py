"""Other systems: ``fulfilment connection``, ``inbox``, ``effect`` and ``import``."""
