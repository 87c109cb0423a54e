"""What the read models know, as tables, pages and files: ``fulfilment report`` and ``export``."""
