"""Processes with another role beside this one: what they are told, and that each is started again should it die."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("fulfilment")

_SERVER = str(Path(__file__).parents[2] / "server.py")


_OF_ALL = ("key_file", "web", "web_private", "behind_proxy", "memory_mib")
_OF_EDGES = ("tls_cert", "tls_key", "tls_client_ca", "message_mib", "data", "outbox", "database_tls", "reporting_dsn")
_OF_OIDC = ("oidc_issuer", "oidc_audience", "oidc_jwks", "oidc_claim")


def told_beside(role: str, chosen: argparse.Namespace) -> dict[str, str]:
    """The options of this process that hold for one with another role beside it, as its environment."""
    names = (*_OF_ALL, *_OF_EDGES, *_OF_OIDC) if role == "edge" else _OF_ALL
    options = {name: getattr(chosen, name) for name in names}
    return {f"FULFILMENT_{name.upper()}": str(value) for name, value in options.items() if value is not None}


def environment_beside(role: str, conninfo: str, chosen: argparse.Namespace) -> dict[str, str]:
    """Of a process with another role beside this one, whose figures this one shows."""
    outside = {name: value for name, value in os.environ.items() if name != "FULFILMENT_METRICS"}
    here = {"FULFILMENT_DSN": conninfo, "FULFILMENT_ROLE": role, "FULFILMENT_PARENT": str(os.getpid())}
    return {**outside, **told_beside(role, chosen), **here}


async def keep_beside(role: str, conninfo: str, chosen: argparse.Namespace, others: dict[str, int]) -> None:
    """A process with another role beside this one, started again should it die."""
    pause, environment = 1.0, environment_beside(role, conninfo, chosen)
    while True:
        words = [sys.executable, _SERVER, "--log-level", chosen.log_level, "--log-format", chosen.log_format]
        # A session of its own: a Ctrl-C at the terminal reaches only this process, which then drains.
        child = await asyncio.create_subprocess_exec(*words, env=environment, start_new_session=True)
        others[role] = child.pid
        try:
            code = await child.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()
            raise
        log.error("the %s ended with code %d; starting it again in %.0f s", role, code, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 60.0)
