"""The contract of the fulfilment ledger: its messages and stubs in ``v1``, a client in ``client``."""

__version__ = "0.1.0"
"""The version of the contract, its client and the service, defined only here."""
