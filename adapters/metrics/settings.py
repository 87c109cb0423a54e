"""Where the figures are shown: the option of the service, and what it chooses."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from adapters.access.listening import Listener
from adapters.access.settings import tls_of
from adapters.access.tls import Files
from adapters.metrics.serving import Display


def add_options(parser: argparse.ArgumentParser, address: Callable[[str], str]) -> list[argparse.Action]:
    """``address`` reads an address as the other options do."""

    def here(text: str) -> str:
        return address(f"127.0.0.1:{text}" if text.isdecimal() else text)

    told = "[host:]port with figures for Prometheus at /metrics; without a host this machine only; none if not said"
    return [parser.add_argument("--metrics", type=here, help=told)]


def shown_of(chosen: argparse.Namespace) -> Display | None:
    """By the same rules as the API. Raises BadAccessSettings, BadCertificate, CannotListen and Unprotected."""
    if chosen.metrics is None:
        return None
    tls = tls_of(chosen)
    listener = Listener(chosen.metrics, tls, behind_proxy=chosen.behind_proxy == "yes")
    return Display(chosen.metrics, listener, Files(chosen.tls_cert, chosen.tls_key, None) if tls else None)
