"""Invoices for customers, from suppliers and for customs, and what suppliers are owed: ``fulfilment invoice``."""
