"""What goes wrong and is put right: ``fulfilment case``, ``inquiry`` and ``recovery``."""
