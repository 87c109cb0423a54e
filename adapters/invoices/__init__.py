"""Invoices on paper: the commercial one for customs, and those for customers."""
