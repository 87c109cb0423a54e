"""The retailer's own terms: policies, calendars and clocks: ``fulfilment policy`` and ``clock``."""
