"""Evidence: the bytes that facts name by their SHA-256, kept sealed beside the log.

They are sealed for the person whose case it is, so erasing that person erases them too.
The same bytes are kept once for each person.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from ledger.engine.log import Log
from ledger.engine.sealing import StoredKey, TenantSealer, Unreadable
from ledger.engine.statements import in_schema
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.cases import Case
from ledger.terms.retention import EVIDENCE_KEYS

_IS_KEPT = """
    SELECT 1 FROM {schema}.ledger_evidence AS e JOIN {schema}.ledger_keys AS k USING (key_id)
    WHERE e.sha256 = %s AND e.subject = %s AND k.wrapped IS NOT NULL
"""
_KEEP_KEY = """
    INSERT INTO {schema}.ledger_keys (key_id, subject, wrapped, email, phone, bound_to, epoch, purpose)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
# What is there already was kept a moment ago by another call, or under a key that was destroyed since.
_KEEP = """
    INSERT INTO {schema}.ledger_evidence (sha256, subject, key_id, box) VALUES (%s, %s, %s, %s)
    ON CONFLICT (sha256, subject) DO UPDATE SET key_id = excluded.key_id, box = excluded.box
"""
_READ = """
    SELECT e.key_id, e.box, k.subject, k.wrapped, k.epoch
    FROM {schema}.ledger_evidence AS e JOIN {schema}.ledger_keys AS k USING (key_id)
    WHERE e.sha256 = %s AND e.subject = %s
"""


class Kept(NamedTuple):
    """Evidence and the person whom it is about."""

    sha256: str
    subject: str

    @property
    def bound_to(self) -> str:
        return f"evidence {self.sha256} of {self.subject}"


def subject_of(case: Case) -> str:
    """Under whose keys evidence of the case is: those of its order; a case of before names a person."""
    return case.opened.subject or orders.anchor(case.order_id)


def hash_of(data: bytes) -> str:
    """How facts name the bytes."""
    return sha256(data).hexdigest()


async def keep(log: Log, sealer: TenantSealer, kept: Kept, data: bytes) -> None:
    """Stores the bytes unless they are there already and can be read."""
    async with log.pool.connection() as connection, connection.transaction():
        if await (await connection.execute(in_schema(_IS_KEPT, log.schema), kept)).fetchone():
            return
        sealed, key = sealer.seal_bytes(data, kept.subject, kept.bound_to)
        await connection.execute(in_schema(_KEEP_KEY, log.schema), key.row()._replace(purpose=EVIDENCE_KEYS))
        await connection.execute(in_schema(_KEEP, log.schema), (*kept, sealed.key_id, sealed.box))


async def is_kept(log: Log, kept: Kept) -> bool:
    """Whether its bytes can be read."""
    async with log.pool.connection() as connection:
        return await (await connection.execute(in_schema(_IS_KEPT, log.schema), kept)).fetchone() is not None


async def read(log: Log, sealer: TenantSealer, kept: Kept) -> bytes | None:
    """The bytes; None once their person was erased. Raises Unreadable if they are not what they were."""
    async with log.pool.connection() as connection:
        row = await (await connection.execute(in_schema(_READ, log.schema), kept)).fetchone()
    if row is None:
        raise Unreadable(f"evidence {kept.sha256} is named by a fact and is not there")
    key_id, box, subject, wrapped, epoch = row
    if wrapped is None:
        return None
    data = sealer.unseal_bytes(Sealed(key_id, box), StoredKey(subject, wrapped, epoch), kept.bound_to)
    if hash_of(data) != kept.sha256:
        raise Unreadable(f"evidence {kept.sha256} has another hash")
    return data
