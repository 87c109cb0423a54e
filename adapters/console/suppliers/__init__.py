"""Suppliers: who they are, what was agreed with them, how they do: ``fulfilment supplier``."""
