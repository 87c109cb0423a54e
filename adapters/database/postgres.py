"""PostgreSQL itself: the embedded server or a DSN, connections, schema versions, tenants."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal
from psycopg_pool import AsyncConnectionPool

from adapters.database import embedded_age
from adapters.database.dsn import DatabaseTls, usable
from adapters.database.embedded import EmbeddedServer
from ledger.refusals import TooManyTenants
from projections.machine.awake import AWAKE, asked_at

log = logging.getLogger("fulfilment.postgres")

CONTROL_SCHEMA = "fulfilment"
DEFAULT_TENANT = "default"
MOST_TENANTS = 1000
"""Each has tables of its own, a writer, clocks and read models."""
_TENANT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_SCHEMA_PREFIX = "tenant_"
_LOCK_SEED = 0x5C4E3A
_MIGRATE_SECONDS = 30.0
_MIGRATE_LOCK_MILLISECONDS = 200
_MIGRATE_PAUSE_SECONDS = 0.5

# --- schema versions ------------------------------------------------------------------------------
# The number of a migration is its place, from 1. Append only: databases remember how many they have. A semicolon ends a
# statement, and stands nowhere else; a constraint is added after its column, and by its name.

CONTROL_MIGRATIONS = (
    """
    CREATE TABLE {schema}.tenants (
        name text PRIMARY KEY,
        schema text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    CREATE TABLE {schema}.keyring (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        key_check bytea NOT NULL
    );
    """,
    # Who may call: adapters/access/clients.py reads it. Of a token only its SHA-256 is here; a client has at most two.
    """
    CREATE TABLE {schema}.clients (
        name text COLLATE "C" PRIMARY KEY,
        role text NOT NULL,
        tenants text[] NOT NULL,
        supplier text,
        personal boolean NOT NULL DEFAULT false,
        calls_per_second int,
        calls_at_once int,
        bytes_at_once bigint,
        certificate text UNIQUE,
        tokens bytea[] NOT NULL DEFAULT '{{}}' CHECK (cardinality(tokens) <= 2),
        tokens_made_at timestamptz[] NOT NULL DEFAULT '{{}}' CHECK (cardinality(tokens_made_at) = cardinality(tokens)),
        expires_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
    );
    """,
    # What a token of an identity provider calls a client.
    """
    ALTER TABLE {schema}.clients ADD oidc text;
    ALTER TABLE {schema}.clients ADD CONSTRAINT clients_oidc_key UNIQUE (oidc);
    """,
    # The epoch that data keys are wrapped under, and which server holds which keys, so that they can be replaced.
    """
    ALTER TABLE {schema}.keyring ADD epoch int DEFAULT 1;
    CREATE TABLE {schema}.key_holders (
        holder text PRIMARY KEY,
        epochs int[] NOT NULL,
        writes int NOT NULL,
        seen_at timestamptz NOT NULL
    );
    """,
    # For which tenants the edges have work, and since when: adapters/edges/wakeups.py.
    """
    CREATE TABLE {schema}.wakeups (
        tenant text COLLATE "C" NOT NULL,
        what text COLLATE "C" NOT NULL,
        due_at timestamptz NOT NULL,
        PRIMARY KEY (tenant, what)
    );
    CREATE INDEX wakeups_due_at_idx ON {schema}.wakeups (what, due_at);
    """,
    # Until when somebody may write to a tenant (adapters/awake.py), and which projectors live.
    """
    ALTER TABLE {schema}.tenants ADD awake_until timestamptz DEFAULT now() + interval '120 seconds';
    CREATE TABLE {schema}.projectors (
        name text COLLATE "C" PRIMARY KEY,
        seen_at timestamptz NOT NULL
    );
    """,
    # Who wakes a tenant while somebody works for it does not end that lease.
    """
    ALTER TABLE {schema}.wakeups ADD leased_until timestamptz;
    DROP INDEX {schema}.wakeups_due_at_idx;
    CREATE INDEX wakeups_open_idx ON {schema}.wakeups (what, (coalesce(leased_until, due_at)));
    """,
    # How many migrations a service must know to work with the schema: ``_changed_last``.
    "ALTER TABLE {schema}.ledger_schema ADD works_with int",
)

# ledger_events and ledger_tracking have the columns, index and first row that the eventsourcing
# library expects of them. Text is compared byte by byte: faster, and the same on every machine.
TENANT_MIGRATIONS = (
    """
    CREATE TABLE {schema}.ledger_events (
        originator_id text COLLATE "C" NOT NULL,
        originator_version bigint NOT NULL,
        topic text NOT NULL,
        state bytea NOT NULL,
        notification_id bigint NOT NULL,
        command text COLLATE "C",
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (originator_id, originator_version)
    );
    CREATE UNIQUE INDEX ledger_events_notification_id_idx ON {schema}.ledger_events (notification_id);
    CREATE TABLE {schema}.ledger_commands (
        request_id text COLLATE "C" PRIMARY KEY,
        fingerprint bytea NOT NULL,
        actor text NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        position bigint NOT NULL,
        version bigint NOT NULL,
        refusal jsonb
    );
    CREATE TABLE {schema}.ledger_keys (
        key_id text COLLATE "C" PRIMARY KEY,
        subject text COLLATE "C" NOT NULL,
        wrapped bytea,
        made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        destroyed_at timestamptz
    );
    CREATE INDEX ledger_keys_subject_idx ON {schema}.ledger_keys (subject);
    CREATE TABLE {schema}.ledger_tracking (
        application_name text PRIMARY KEY,
        notification_id bigint
    );
    INSERT INTO {schema}.ledger_tracking VALUES ('__migration__', 1);
    CREATE TABLE {schema}.ledger_projections (
        name text PRIMARY KEY,
        error text,
        seen_at timestamptz
    );
    """,
    """
    ALTER TABLE {schema}.ledger_projections
        ADD shape int,
        ADD leader text,
        ADD requested text,
        ADD requested_at timestamptz,
        ADD builder text,
        ADD builder_seen_at timestamptz,
        ADD progress bigint,
        ADD result text,
        ADD finished_at timestamptz;
    ALTER TABLE {schema}.ledger_projections
        ADD CONSTRAINT ledger_projections_requested_check CHECK (requested IN ('rebuild', 'verify'));
    """,
    # The bytes that facts name by hash, sealed under a key of the person they are about.
    """
    CREATE TABLE {schema}.ledger_evidence (
        sha256 text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        box bytea NOT NULL,
        PRIMARY KEY (sha256, subject)
    );
    """,
    # The warnings of a command: a list of sentences, usually NULL.
    "ALTER TABLE {schema}.ledger_commands ADD warnings jsonb",
    # By which contacts a person is found, as keyed hashes, and where: beside the key that they are sealed under, and
    # gone with it. Old keys are given theirs from the facts up to the position that is noted here.
    """
    ALTER TABLE {schema}.ledger_keys
        ADD email text COLLATE "C", ADD phone text COLLATE "C", ADD bound_to text COLLATE "C";
    CREATE INDEX ledger_keys_email_idx ON {schema}.ledger_keys (email) WHERE email IS NOT NULL;
    CREATE INDEX ledger_keys_phone_idx ON {schema}.ledger_keys (phone) WHERE phone IS NOT NULL;
    INSERT INTO {schema}.ledger_tracking
        SELECT '__contacts__', max(notification_id) FROM {schema}.ledger_events HAVING max(notification_id) > 0;
    """,
    # The epoch that a key is wrapped under. Contacts are one block of the cipher that hides them from now on.
    """
    ALTER TABLE {schema}.ledger_keys ADD epoch int DEFAULT 1;
    UPDATE {schema}.ledger_keys SET email = left(email, 32), phone = left(phone, 32)
        WHERE email IS NOT NULL OR phone IS NOT NULL;
    """,
    # What foreign systems told, sealed, until it is worked on and for a time after that; and how far each was asked.
    """
    CREATE TABLE {schema}.ledger_inbox (
        reception_id text COLLATE "C" PRIMARY KEY,
        connection text COLLATE "C" NOT NULL,
        source_id text COLLATE "C",
        content bytea NOT NULL,
        topic text NOT NULL,
        object_id text COLLATE "C" NOT NULL,
        happened_at timestamptz,
        whole boolean NOT NULL,
        asked boolean NOT NULL,
        box bytea,
        received_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'waiting',
        attempts int NOT NULL DEFAULT 0,
        next_at timestamptz,
        reason text NOT NULL DEFAULT '',
        about text[] NOT NULL DEFAULT '{{}}'
    );
    CREATE UNIQUE INDEX ledger_inbox_source_id_idx ON {schema}.ledger_inbox (connection, source_id)
        WHERE source_id IS NOT NULL;
    CREATE UNIQUE INDEX ledger_inbox_content_idx ON {schema}.ledger_inbox (connection, content);
    CREATE INDEX ledger_inbox_object_id_idx ON {schema}.ledger_inbox (connection, object_id);
    CREATE INDEX ledger_inbox_next_at_idx ON {schema}.ledger_inbox (next_at) WHERE next_at IS NOT NULL;
    CREATE INDEX ledger_inbox_received_at_idx ON {schema}.ledger_inbox (received_at, reception_id);
    CREATE INDEX ledger_inbox_about_idx ON {schema}.ledger_inbox USING gin (about) WHERE box IS NOT NULL;
    CREATE TABLE {schema}.ledger_connections (
        name text COLLATE "C" PRIMARY KEY,
        added_at timestamptz NOT NULL,
        cursor text NOT NULL DEFAULT '',
        next_at timestamptz NOT NULL DEFAULT now(),
        asked_at timestamptz,
        found bigint NOT NULL DEFAULT 0,
        found_now bigint NOT NULL DEFAULT 0,
        found_last bigint NOT NULL DEFAULT 0,
        problem text NOT NULL DEFAULT ''
    );
    """,
    # Who saw personal data, by which RPC, asking about what, and whose it was: adapters/people/personal_reads.py.
    """
    CREATE TABLE {schema}.ledger_reads (
        read_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        client text COLLATE "C" NOT NULL,
        rpc text COLLATE "C" NOT NULL,
        object text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL
    );
    CREATE INDEX ledger_reads_at_idx ON {schema}.ledger_reads (at, read_id);
    CREATE INDEX ledger_reads_subject_idx ON {schema}.ledger_reads (subject, at, read_id);
    CREATE INDEX ledger_reads_client_idx ON {schema}.ledger_reads (client, at, read_id);
    """,
    # Contacts are known by the address and the number themselves, however they were written: those of keys that are
    # there are made anew.
    """
    DELETE FROM {schema}.ledger_tracking WHERE application_name = '__contacts__';
    INSERT INTO {schema}.ledger_tracking
        SELECT '__contacts__', max(notification_id) FROM {schema}.ledger_events HAVING max(notification_id) > 0;
    """,
    # Words of trackers that nothing here has a meaning for; and how much is open is counted often.
    """
    ALTER TABLE {schema}.ledger_inbox ADD unknown_words text[] NOT NULL DEFAULT '{{}}';
    CREATE INDEX ledger_inbox_unknown_words_idx ON {schema}.ledger_inbox (connection) WHERE unknown_words <> '{{}}';
    CREATE INDEX ledger_inbox_failed_idx ON {schema}.ledger_inbox (connection) WHERE state = 'failed';
    """,
    # What a key was sealed for, so that a kind of data can be erased alone. Of old keys two kinds tell it; the others
    # end with all that is kept of their order.
    """
    ALTER TABLE {schema}.ledger_keys ADD purpose text COLLATE "C";
    UPDATE {schema}.ledger_keys SET purpose = 'customer' WHERE bound_to IS NOT NULL;
    UPDATE {schema}.ledger_keys AS key SET purpose = 'evidence'
        FROM {schema}.ledger_evidence AS kept WHERE kept.key_id = key.key_id;
    """,
    # Fingerprints of what recorded nothing are marked (ledger/engine/fingerprints.py), and found when somebody is
    # erased.
    """
    UPDATE {schema}.ledger_commands SET fingerprint = fingerprint || '\\x00'
        WHERE refusal IS NOT NULL AND octet_length(fingerprint) = 36;
    CREATE INDEX ledger_commands_marked_idx ON {schema}.ledger_commands (request_id)
        WHERE octet_length(fingerprint) = 37;
    """,
    # Up to which position of the log a connection was told what happened.
    "ALTER TABLE {schema}.ledger_connections ADD told_to bigint DEFAULT 0",
    # What long streams amounted to, as one version of the code folds them: ledger/engine/snapshots.py.
    """
    CREATE TABLE {schema}.ledger_snapshots (
        originator_id text COLLATE "C" NOT NULL,
        shape text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        position bigint NOT NULL,
        state bytea NOT NULL,
        taken_at timestamptz NOT NULL,
        PRIMARY KEY (originator_id, shape)
    );
    """,
    # More than the newest is kept, for whoever follows the log and is not that far; and large ones in parts.
    """
    ALTER TABLE {schema}.ledger_snapshots ADD part int4 NOT NULL DEFAULT 0, ADD parts int4 NOT NULL DEFAULT 1;
    ALTER TABLE {schema}.ledger_snapshots DROP CONSTRAINT ledger_snapshots_pkey;
    ALTER TABLE {schema}.ledger_snapshots
        ADD CONSTRAINT ledger_snapshots_pkey PRIMARY KEY (originator_id, shape, version, part);
    """,
    # How many migrations a service must know to work with the schema: ``_changed_last``.
    "ALTER TABLE {schema}.ledger_schema ADD works_with int",
    # Rows are inserted from what a SELECT has, and there Citus takes no clock_timestamp(). As late as that, because the
    # statement comes when the tenant's lock is held: instants of recording grow with positions.
    """
    ALTER TABLE {schema}.ledger_events ALTER recorded_at SET DEFAULT statement_timestamp();
    ALTER TABLE {schema}.ledger_commands ALTER decided_at SET DEFAULT statement_timestamp();
    ALTER TABLE {schema}.ledger_keys ALTER made_at SET DEFAULT statement_timestamp();
    ALTER TABLE {schema}.ledger_reads ALTER at SET DEFAULT statement_timestamp();
    """,
)


class SchemaNewer(Exception):
    def __init__(self, schema: str, found: int, known: int) -> None:
        super().__init__(
            f"schema {schema} is at version {found} and this service knows {known}: a newer version of the service "
            "has run here and changed what this one uses; start that one"
        )


_NEW = re.compile(r"CREATE (TABLE|INDEX) ")
_MORE_COLUMNS = re.compile(r"ALTER TABLE \S+ (?=ADD )")
_NEW_DEFAULT = re.compile(r"ALTER TABLE \S+ ALTER \S+ SET DEFAULT [^,]+")
_BOUND = re.compile(r",|ADD CONSTRAINT|UNIQUE|PRIMARY|CHECK|REFERENCES|NOT NULL(?!.*DEFAULT)")
"""What binds whoever does not know of a column, or is not plain to see."""


def _statements(template: str) -> list[str]:
    return [" ".join(statement.split()) for statement in template.split(";") if statement.strip()]


def _only_adds(statement: str) -> bool:
    """Whether a service that does not know of it works on as before."""
    if _NEW.match(statement) or _NEW_DEFAULT.fullmatch(statement):
        return True
    added = _MORE_COLUMNS.match(statement)
    return added is not None and not any(map(_BOUND.search, re.split(r", (?=ADD )", statement[added.end() :])))


def _changed_last(migrations: Sequence[str]) -> int:
    """The number of the last migration that did more than add: who knows that one works with all that follow."""
    changing = (n for n, template in enumerate(migrations, 1) if not all(map(_only_adds, _statements(template))))
    return max(changing, default=0)


class BadTenantName(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} cannot name a tenant: start with a letter a-z, then letters a-z, digits and _, 40 at most"
        )


def tenant_of(schema: str) -> str:
    """The name of the tenant whose schema it is."""
    return schema.removeprefix(_SCHEMA_PREFIX)


def is_tenant_name(text: str) -> bool:
    return _TENANT.fullmatch(text) is not None


def _check_name(tenant: str) -> None:
    if not is_tenant_name(tenant):
        raise BadTenantName(tenant)


class SchemaInUse(Exception):
    def __init__(self, schema: str) -> None:
        super().__init__(
            f"schema {schema} could not be brought up to date in {_MIGRATE_SECONDS:.0f} s, for its tables are in use: "
            "end the sessions in pg_stat_activity that are idle in transaction, and start again"
        )


async def migrate(connection: AsyncConnection[Any], schema: str, migrations: Sequence[str]) -> int:
    """Brings a schema up to date in one transaction; safe when several processes start together.

    A schema that a newer version has only added to stays as it is. Raises SchemaNewer, and SchemaInUse. It tries a lock
    only for a moment, again and again, because waiting for a table would block commands and queries meanwhile.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + _MIGRATE_SECONDS
    while True:
        try:
            return await _migrate(connection, schema, migrations)
        except psycopg.errors.LockNotAvailable as error:
            if clock() > give_up_at:
                raise SchemaInUse(schema) from error
            await asyncio.sleep(_MIGRATE_PAUSE_SECONDS)


async def _migrate(connection: AsyncConnection[Any], schema: str, migrations: Sequence[str]) -> int:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = {_MIGRATE_LOCK_MILLISECONDS}")
        lock = SQL("SELECT pg_advisory_xact_lock(hashtextextended({name}, {seed}))")
        await connection.execute(lock.format(name=Literal(schema), seed=Literal(_LOCK_SEED)))
        found, works_with = await migrations_of(connection, schema) or await _begin(connection, schema)
        if found > len(migrations) >= works_with:
            return found
        if found > len(migrations):
            raise SchemaNewer(schema, found, len(migrations))
        for template in migrations[found:]:
            await _execute_each(connection, template, schema)
        if found < len(migrations):
            update = SQL("UPDATE {schema}.ledger_schema SET version = {version}, works_with = {works_with}")
            values = {"version": Literal(len(migrations)), "works_with": Literal(_changed_last(migrations))}
            await connection.execute(update.format(schema=Identifier(schema), **values))
    return len(migrations)


async def _execute_each(connection: AsyncConnection[Any], template: str, schema: str) -> None:
    """The statements of a template, one after another: Citus takes no two at once."""
    for statement in filter(str.strip, template.split(";")):
        await connection.execute(SQL(cast("Any", statement)).format(schema=Identifier(schema)))


async def migrations_of(connection: AsyncConnection[Any], schema: str) -> tuple[int, int] | None:
    """How many migrations a schema has had, and how many of them a service must know to work with it; None if it is not
    there."""
    known = await connection.execute("SELECT to_regclass(%s)", (f'"{schema}".ledger_schema',))
    if (await known.fetchone()) == (None,):
        return None
    # By its name in JSON, because a schema of before has no such column; then it is the number itself.
    asked = SQL("SELECT version, coalesce((to_jsonb(s) ->> 'works_with')::int, version) FROM {}.ledger_schema AS s")
    ((version, works_with),) = await (await connection.execute(asked.format(Identifier(schema)))).fetchall()
    return version, works_with


async def _begin(connection: AsyncConnection[Any], schema: str) -> tuple[int, int]:
    """A schema that has had no migration yet."""
    make = """
        CREATE SCHEMA IF NOT EXISTS {schema};
        CREATE TABLE {schema}.ledger_schema (version int NOT NULL);
        INSERT INTO {schema}.ledger_schema VALUES (0);
    """
    await connection.execute("SET LOCAL client_min_messages = warning")
    await _execute_each(connection, make, schema)
    return 0, 0


# --- connections ----------------------------------------------------------------------------------


class _WarmPool(AsyncConnectionPool[Any]):
    """Hands out the connection that was given back last, which has prepared what it is asked; psycopg's own takes the
    others first, so that each statement of each tenant is parsed and planned on every connection there is."""

    async def _get_ready_connection(self, timeout: float | None) -> AsyncConnection[Any] | None:  # noqa: ASYNC109 - as it is there
        self._pool.rotate(1)
        return await super()._get_ready_connection(timeout)


def open_pool(
    conninfo: str, *, max_size: int = 10, min_size: int = 1, timeout: float = 5.0, keeps_plans: bool = False
) -> AsyncConnectionPool[Any]:
    """A pool of connections as the ledger wants them; enter it to open it.

    Where statements are the same again and again whatever their parameters, ``keeps_plans`` plans each but once.
    """
    return _WarmPool(
        conninfo,
        kwargs={
            "autocommit": True,
            "client_encoding": "UTF8",  # as ledger/engine/wire.py needs, whatever the DSN has
            # For each host: one that is gone must leave time for the next.
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
        },
        configure=_configure_to_keep_plans if keeps_plans else _configure,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout,
        # By default the pool waits twice as long after each failure, so that it would come back long
        # after the database did. So it gives up soon, and whoever needs a connection makes it try again.
        reconnect_timeout=0.5,
        open=False,
        name="ledger",
    )


_SETTINGS = """
    SELECT set_config('jit', 'off', false), set_config('enable_seqscan', 'off', false),
        set_config('lock_timeout', '10s', false), set_config('statement_timeout', '0', false),
        set_config('idle_in_transaction_session_timeout', '20s', false)
"""
_SETTINGS_SINCE_17 = "SELECT set_config('transaction_timeout', '0', false)"


async def _configure(connection: AsyncConnection[Any]) -> None:
    # Every query here goes by an index, also right after a bulk load, when the planner's statistics
    # would mislead it. A server process that lost its client must not keep the tenant's lock. A commit that waits for
    # its standby would be answered by a timeout of statements or transactions, and be lost with this server.
    await connection.execute(_SETTINGS)
    if connection.info.server_version >= 170000:
        await connection.execute(_SETTINGS_SINCE_17)
    connection.prepared_max = 1000


async def _configure_to_keep_plans(connection: AsyncConnection[Any]) -> None:
    await _configure(connection)
    await connection.execute("SET plan_cache_mode = force_generic_plan")


# --- tenants --------------------------------------------------------------------------------------


class TenantSchema(NamedTuple):
    """A retailer, and the schema its ledger lives in."""

    name: str
    schema: str
    created_at: datetime


class Control:
    """The schema ``fulfilment``: which tenants there are, and the check value of the key file."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def prepare(self) -> list[TenantSchema]:
        """Brings every schema up to date and makes the default tenant; returns the tenants."""
        async with self._pool.connection() as connection:
            await migrate(connection, CONTROL_SCHEMA, CONTROL_MIGRATIONS)
            await self._create(connection, DEFAULT_TENANT)
            tenants = await self._list(connection)
            for tenant in tenants:
                await migrate(connection, tenant.schema, TENANT_MIGRATIONS)
            return tenants

    async def create_tenant(self, name: str) -> TenantSchema:
        """Makes a tenant with its schema; creating one twice is fine. Raises TooManyTenants."""
        _check_name(name)
        async with self._pool.connection() as connection:
            tenants = [tenant.name for tenant in await self._list(connection)]
            if name not in tenants and len(tenants) >= MOST_TENANTS:
                raise TooManyTenants(name, MOST_TENANTS)
            return await self._create(connection, name)

    async def list_tenants(self) -> list[TenantSchema]:
        async with self._pool.connection() as connection:
            return await self._list(connection)

    async def awake(self, since: datetime | None = None) -> tuple[set[str], datetime | None]:
        """The names of the tenants that somebody may write to, or might since; and since when to ask the next time."""
        async with self._pool.connection() as connection:
            found = await (await connection.execute(AWAKE, {"since": since})).fetchall()
        return {name for name, _, _ in found}, asked_at(found, since)

    async def schema_of(self, name: str) -> str | None:
        """Where a tenant's ledger lives; None if there is no such tenant; raises BadTenantName if there cannot be."""
        _check_name(name)
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT schema FROM fulfilment.tenants WHERE name = %s", (name,))
            row = await cursor.fetchone()
            return row[0] if row else None

    async def key_check(self) -> bytes | None:
        """The check value of the key this database was made with; None before there is one."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute("SELECT key_check FROM fulfilment.keyring")).fetchone()
            return row[0] if row else None

    async def remember_key(self, key_check: bytes, epoch: int) -> bytes:
        """Stores the check value if there is none yet, and the epoch to seal under; returns the one that holds."""
        async with self._pool.connection() as connection:
            insert = "INSERT INTO fulfilment.keyring (key_check, epoch) VALUES (%s, %s) ON CONFLICT DO NOTHING"
            await connection.execute(insert, (key_check, epoch))
            cursor = await connection.execute("SELECT key_check FROM fulfilment.keyring")
            return cast("bytes", (await cursor.fetchall())[0][0])

    async def bring_up_to_date(self, schema: str) -> None:
        """For a tenant that an older version has made since this process started. One whose tables are gone is not made
        anew: an empty ledger would stand in for a lost one."""
        async with self._pool.connection() as connection:
            found = await migrations_of(connection, schema)
            if found is not None and found[0] < len(TENANT_MIGRATIONS):
                await migrate(connection, schema, TENANT_MIGRATIONS)

    async def _create(self, connection: AsyncConnection[Any], name: str) -> TenantSchema:
        # The schema first: a tenant that is listed has its tables.
        schema = f"{_SCHEMA_PREFIX}{name}"
        await migrate(connection, schema, TENANT_MIGRATIONS)
        select = "SELECT name, schema, created_at FROM fulfilment.tenants WHERE name = %s"
        if listed := await (await connection.execute(select, (name,))).fetchone():
            return TenantSchema._make(listed)
        insert = "INSERT INTO fulfilment.tenants (name, schema) VALUES (%s, %s) ON CONFLICT DO NOTHING"
        await connection.execute(insert, (name, schema))
        return TenantSchema._make((await (await connection.execute(select, (name,))).fetchall())[0])

    async def _list(self, connection: AsyncConnection[Any]) -> list[TenantSchema]:
        cursor = await connection.execute("SELECT name, schema, created_at FROM fulfilment.tenants ORDER BY name")
        return [TenantSchema._make(row) for row in await cursor.fetchall()]


# --- the server -----------------------------------------------------------------------------------


class Database:
    """The PostgreSQL of the ledger: embedded under a data folder, or named by a DSN.

    The embedded server belongs to the process that enters this; give child processes the conninfo.
    """

    def __init__(
        self,
        folder: Path | None = None,
        dsn: str | None = None,
        tls: DatabaseTls = DatabaseTls.VERIFIED,
        *,
        only_read: bool = False,
    ) -> None:
        """Of what only reads, the DSN may name a standby."""
        if (folder is None) == (dsn is None):
            raise ValueError("either a data folder for the embedded server or a DSN")
        self._usable = partial(usable, dsn or "", tls, only_read=only_read)
        self._server = None if folder is None else EmbeddedServer(folder)
        self.conninfo = ""

    async def __aenter__(self) -> Self:
        if self._server is None:
            self.conninfo = await asyncio.to_thread(self._usable)
        else:
            self.conninfo = await asyncio.to_thread(self._server.start)
            if old := embedded_age.warning(self._server.version, datetime.now(UTC).date()):
                log.warning(old)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
