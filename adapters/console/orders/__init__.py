"""Orders between the shop and the door: ``fulfilment place``, ``show``, ``find`` and ``order``."""
