"""Migrations: the tables of the control schema and of a tenant, as each version of the service added to them.

The number of a migration is its place, from 1. Append only: databases remember how many they have. A semicolon ends a
statement, and stands nowhere else; a constraint is added after its column, and by its name.
"""

from __future__ import annotations

BEGINNING = """
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE {schema}.ledger_schema (version int NOT NULL);
    INSERT INTO {schema}.ledger_schema VALUES (0);
"""
"""Of a schema that has had no migration yet."""

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
    # Until when somebody may write to a tenant (projections/machine/awake.py), and which projectors live.
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
