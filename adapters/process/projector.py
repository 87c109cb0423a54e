"""The projector: follows the log, so that read models are as new as it is, and shows its figures."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import threading
from importlib import import_module

from adapters.database.dsn import usable
from adapters.every_tenant import end
from projections import PROJECTIONS
from projections.machine import runner


async def run(chosen: argparse.Namespace) -> None:
    """The projector's process: follows the log until it is stopped or its parent is gone, and shows its figures."""
    alone = "FULFILMENT_PARENT" not in os.environ  # else its parent has looked
    conninfo = usable(chosen.dsn, chosen.database_tls) if alone else chosen.dsn
    figures = []
    if chosen.metrics is not None:
        shown = import_module("adapters.process.projector_figures").showing_figures(conninfo, chosen)
        figures = [asyncio.create_task(shown, name="figures")]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Given by the parent, which may be gone before this process can ask for its id.
    parent = int(os.environ.get("FULFILMENT_PARENT") or os.getppid())
    following = asyncio.create_task(asyncio.to_thread(runner.run_forever, conninfo, stop, PROJECTIONS))
    try:
        while not stop.is_set():
            ended, _ = await asyncio.wait([following, *figures], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            if ended or os.getppid() != parent:
                stop.set()
        await following
        for each in figures:
            if each.done():
                await each  # it says why they cannot be shown
    finally:
        await end(figures)
