"""The table of limits in docs/operating.md says what the code does."""

from __future__ import annotations

import re

from adapters.access import limits
from adapters.database import control, replica
from adapters.folding_aside import MOST_WAITING
from adapters.invoices import drawing
from adapters.rpc import exports, methods, server, turnstile
from adapters.rpc.accepting import CONNECTIONS
from adapters.rpc.cases.evidence import MOST_EVIDENCE_BYTES, MOST_LABEL_BYTES
from adapters.rpc.commands import LONGEST_COMMAND_BYTES
from adapters.tracking_page.answers import LONGEST_REPORT_BYTES
from adapters.tracking_page.limits import FINDING_FROM, FINDING_WHAT
from adapters.tracking_page.reporting import MOST_FILES
from ledger.engine import shelf
from ledger.engine.gathering import MOST_AT_ONCE
from ledger.engine.pieces import PIECE_SECONDS
from ledger.nouns.cases import MOST_EVIDENCE
from ledger.nouns.orders.remarks import MOST_TAGS
from ledger.terms.money import MOST_MINOR
from projections.machine import aside
from projections.machine.reads import PATIENCE_SECONDS
from tests.support.service import HOUSE

MIB = 1 << 20
FIGURES = {
    "a message, either way": f"{server.LONGEST_MESSAGE_BYTES // MIB} MiB",
    "how long a message may take from its first byte to its last": f"{turnstile.SECONDS:.0f} s",
    "messages that are half sent, in one process": (
        f"{turnstile.BYTES_COMING // MIB} MiB if each is the longest, "
        f"{turnstile.BYTES_COMING // server.LONGEST_MESSAGE_BYTES} of them; of one client as many as there is still "
        f"room for, so at most half; of health checks {turnstile.MOST_OF_STRANGERS} more"
    ),
    "a command": f"{LONGEST_COMMAND_BYTES / MIB} MiB",
    "a piece of evidence; a file of a return label": f"{MOST_EVIDENCE_BYTES // MIB} MiB; {MOST_LABEL_BYTES // MIB} MiB",
    "evidence of one case": f"{MOST_EVIDENCE} pieces",
    "a customer's report on the tracking page": f"{MOST_FILES} files, {LONGEST_REPORT_BYTES // MIB} MiB",
    "searches by number and postal code on the tracking page": (
        f"{FINDING_FROM.most} in {FINDING_FROM.seconds // 60} minutes of an address, {FINDING_WHAT.most} in an hour"
    ),
    "a batch": f"{MOST_AT_ONCE:,} commands",
    "how long a batch is decided before what is decided is committed, and others get in between": f"{PIECE_SECONDS} s",
    "tags of an order": f"{MOST_TAGS}",
    "an amount": f"10^{len(str(MOST_MINOR)) - 1} minor units",
    "tenants of one database": f"{control.MOST_TENANTS:,}",
    "a page of a list": f"1,000 rows, {methods.LONGEST_ANSWER_BYTES // MIB} MiB",
    "calls and bytes of one client under way in one process": (
        f"{limits.CALLS_AT_ONCE:,} and {limits.BYTES_AT_ONCE // MIB} MiB"
    ),
    "bytes of the requests of all clients under way in one process": f"{limits.BYTES_OF_ALL // MIB} MiB",
    "folded streams in memory, of one process": f"{shelf.MEMORY_MIB} MiB",
    "connections to one process": f"{CONNECTIONS};",
    "streams of one client in one process": f"{limits.STREAMS_AT_ONCE}",
    "invoices that one client waits for as PDF, in one process": f"{drawing.MOST_ASKED};",
    "exports at once, in one process": f"{exports.EXPORTS_OF_A_TENANT} of a tenant, {exports.EXPORTS_AT_ONCE} of all",
    "how far a replica that exports are read from may be behind": f"{replica.MOST_BEHIND_SECONDS / 3600:.0f} h",
    "an export": (f"{exports.EXPORT_SECONDS / 3600:.0f} h; its reader may pause for {exports.READER_SECONDS:.0f} s;"),
    "read models folded aside, for reports as of a position": (
        f"{aside.MOST_ASIDE} positions of a tenant, {aside.KEPT_SECONDS // 3600} h after they were last asked for; "
        f"one is folded at a time in one process, {MOST_WAITING} wait"
    ),
    "how long a query waits for a read model, or for the database": f"{PATIENCE_SECONDS:.0f} s",
}


def test_the_page_names_the_limits_of_the_code():
    table = (HOUSE / "docs" / "operating.md").read_text().partition("## Limits")[2]
    says = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE))
    assert {what: says[what][: len(figure)] for what, figure in FIGURES.items()} == FIGURES
