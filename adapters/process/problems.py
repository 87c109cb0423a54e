"""What ends a process in one sentence, without a traceback. It is imported once something has."""

from __future__ import annotations

import psycopg

from adapters.access.administration import AdministrationFailed
from adapters.access.listening import CannotListen, Unprotected
from adapters.access.settings import BadAccessSettings
from adapters.access.tls import BadCertificate
from adapters.database.control import BadTenantName
from adapters.database.problems import StartFailed
from adapters.database.schema_versions import SchemaInUse, SchemaNewer
from adapters.ledger_check.command import CannotCheck
from adapters.mail.settings import BadMailSettings
from adapters.process.folders import BadFolder
from adapters.process.health_check import Unhealthy
from adapters.rpc.tracing import NoTraces
from ledger.engine.keyring import KeyProblem

_SAY_IT_THEMSELVES = (
    *(KeyProblem, StartFailed, BadFolder, BadMailSettings, SchemaInUse, SchemaNewer, BadTenantName),
    *(AdministrationFailed, BadAccessSettings, BadCertificate, CannotListen, Unprotected),
    *(Unhealthy, CannotCheck, NoTraces),
)


def sentence_of(error: Exception) -> str | None:
    """None for a mistake of ours."""
    if isinstance(error, _SAY_IT_THEMSELVES):
        return str(error)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"the database refuses what the service needs ({' '.join(str(error).split())}); as the role that owns its "
            "tables run: python server.py migrate --dsn OWNER --grant ROLE"
        )
    if isinstance(error, psycopg.OperationalError):
        return f"the database does not answer: {str(error).strip()}"
    return None
