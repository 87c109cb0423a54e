"""Parcels under way, and what goods are sent with: ``fulfilment parcel`` and ``shipping``."""
