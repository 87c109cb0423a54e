"""What is done beside the service, by the first word of the command line, such as ``python server.py migrate``."""

from __future__ import annotations

from adapters.access import administration
from adapters.database import reporting_roles, roles
from adapters.keys import commands as keys
from adapters.ledger_check import command as check
from adapters.process import health_check

BESIDE = {
    "check": check.main,
    "client": administration.main,
    "health": health_check.main,
    "keys": keys.main,
    "migrate": roles.main,
    "reporting": reporting_roles.main,
}
