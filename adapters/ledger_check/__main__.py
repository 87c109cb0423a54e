"""A check in a process of its own, which the service starts: its database comes by the environment, and is reached."""

from __future__ import annotations

import os
import sys

from adapters.ledger_check.command import check_at, parser

if __name__ == "__main__":
    check_at(os.environ["FULFILMENT_DSN"], parser().parse_args(sys.argv[1:]))
