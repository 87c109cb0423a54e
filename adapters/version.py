"""Which version of the ledger this is: the one place that knows."""

from importlib.metadata import version

VERSION = version("fulfilment")
