"""Where the figures are shown: what the option of the service chooses."""

from __future__ import annotations

import argparse

from adapters.access.listening import Listener
from adapters.access.settings import tls_of
from adapters.access.tls import Files
from adapters.metrics.serving import Display


def shown_of(chosen: argparse.Namespace) -> Display | None:
    """By the same rules as the API. Raises BadAccessSettings, BadCertificate, CannotListen and Unprotected."""
    if chosen.metrics is None:
        return None
    tls = tls_of(chosen)
    listener = Listener(chosen.metrics, tls, behind_proxy=chosen.behind_proxy == "yes")
    return Display(chosen.metrics, listener, Files(chosen.tls_cert, chosen.tls_key, None) if tls else None)
