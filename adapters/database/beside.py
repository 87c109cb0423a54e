"""What is done beside the service, on its database: the options that name that, and how it is reached."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from adapters.database.dsn import add_database_tls
from adapters.database.embedded import holds_data
from adapters.database.problems import StartFailed
from adapters.database.server import Database
from adapters.process.folders import path


class NoLedger(StartFailed):
    def __init__(self, folder: Path) -> None:
        super().__init__(f"there is no ledger under {folder}; name its folder with --data, or use --dsn")


def options() -> argparse.ArgumentParser:
    """A parent of the commands' parsers, with the options as the service itself has them."""
    shared = argparse.ArgumentParser(add_help=False)
    data = os.environ.get("FULFILMENT_DATA") or "data"
    shared.add_argument("--data", type=path, default=data, help=f"data folder of the service ({data})")
    shared.add_argument("--dsn", default=os.environ.get("FULFILMENT_DSN"), help="its PostgreSQL, if it is not embedded")
    add_database_tls(shared)
    return shared


def database(chosen: argparse.Namespace, *, may_begin: bool = False, only_read: bool = False) -> Database:
    """The service's database, not opened yet; raises NoLedger, unless one may be begun."""
    folder = None if chosen.dsn else chosen.data
    if folder is not None and not may_begin and not holds_data(folder):
        raise NoLedger(folder)
    return Database(folder, chosen.dsn, chosen.database_tls, only_read=only_read)
