"""What is done beside the service, by the first word of the command line, such as ``python server.py migrate``.

Each is named by its module, which is imported when it is asked for: health is asked again and again.
"""

from __future__ import annotations

from collections.abc import Mapping

BESIDE: Mapping[str, str] = {
    "check": "adapters.ledger_check.command",
    "client": "adapters.access.administration",
    "health": "adapters.process.health_check",
    "keys": "adapters.keys.commands",
    "migrate": "adapters.database.roles",
    "reporting": "adapters.database.reporting_roles",
}
