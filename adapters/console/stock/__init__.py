"""What suppliers have, and what the retailer sells: ``fulfilment stock`` and ``sku``."""
