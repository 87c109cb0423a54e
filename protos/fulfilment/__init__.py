"""The contract of the fulfilment ledger: its messages and stubs in ``v1``, a client in ``client``."""

__version__ = "0.1.0"
"""Of the contract, its client and the service alike: the one place that says it."""
