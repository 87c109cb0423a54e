"""The command ``fulfilment``: the ledger at a terminal, over gRPC."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from adapters.console.terminal import words
from adapters.console.terminal.client import Trouble
from adapters.console.terminal.commands import Named, Root
from adapters.console.terminal.sentences import paths
from fulfilment import __version__

USAGE = 2
INTERRUPTED = 130


_COMMANDS = {
    "place": Named("orders.place", "place", "Record what a shop sold."),
    "show": Named("orders.show", "show", "Show an order: its units, holds, supplier orders and parcels."),
    "find": Named("orders.finding", "find", "Find a customer, and list all its orders with their cases and questions."),
    "history": Named(
        "auditing.history", "history", "List the facts of an order and its parcels as they were recorded."
    ),
    "log": Named("auditing.log", "log", "List the facts of the ledger as they were recorded, a line each."),
    "order": Named(
        "orders.order", "order", "Move an order on: pay, hold, confirm, send, acknowledge, pack, ship, reroute, cancel."
    ),
    "invoice": Named(
        "money.customer_invoices",
        "invoice",
        "List and show customers' invoices, ask for one, cancel one by a credit note.",
    ),
    "parcel": Named("parcels.parcel", "parcel", "Record and show what carriers say."),
    "shipping": Named("parcels.shipping", "shipping", "What goods are sent with."),
    "inquiry": Named("after_sales.inquiries", "inquiry", "Ask about an order, answer in time, close, list what waits."),
    "case": Named("after_sales.cases", "case", "Handle a return case from its opening to its remedy."),
    "message": Named(
        "messages.message", "message", "See what is told to customers, suppliers and staff, and try again what failed."
    ),
    "work": Named("work.work", "work", "See what there is to do and how, take it on, finish it."),
    "stock": Named("stock.stock", "stock", "Record and show what suppliers have."),
    "sku": Named("stock.skus", "sku", "Say what SKUs are, and show who offers them."),
    "supplier": Named("suppliers.supplier", "supplier", "Register suppliers, agree terms, approve, suspend."),
    "recovery": Named("after_sales.recoveries", "recovery", "Get costs back from suppliers and carriers."),
    "report": Named("reports.report", "report", "Ask how much there was, who is late, what is due, where things are."),
    "export": Named(
        "reports.export", "export", "Write the tables for reporting to files, all of one moment: those named, or all."
    ),
    "import": Named("edges.olist", "imports", "Bring other systems' data in."),
    "connection": Named(
        "edges.connections", "connection", "Connect shops and tracking services, try them, and change their secrets."
    ),
    "inbox": Named(
        "edges.inbox",
        "inbox",
        "What shops and tracking services told, what became of it, and what somebody has to look at.",
    ),
    "effect": Named(
        "edges.effects", "effect", "What shops and tracking services are told, and what could not be told."
    ),
    "text": Named("messages.texts", "text", "Say and see who wants no text messages."),
    "policy": Named("terms.policies", "policy", "Show and change the retailer's own terms."),
    "clock": Named("terms.clocks", "clock", "What somebody has to do by when."),
    "status": Named("service.admin", "status", "Show where the log and its read models stand."),
    "doctor": Named(
        "service.doctor",
        "doctor",
        "Let the service look over itself, its machine and its database, and say what to do.",
    ),
    "rebuild": Named(
        "service.admin", "rebuild", "Build a read model anew from the log, compare it with the live one, and swap them."
    ),
    "snapshots": Named(
        "service.admin",
        "snapshots",
        "Compare the snapshots of long streams with their facts, and drop those that say something else.",
    ),
    "tenant": Named("service.admin", "tenant", "Add and list tenants, each with a ledger of its own."),
    "audit": Named(
        "auditing.audit",
        "audit",
        "Check that the ledger is whole, see who read what about people, write the file of an order.",
    ),
    "person": Named("people.person", "person", "Export or erase what is kept of a person, or keep it for a time."),
    "erase": Named("people.person", "erase", "Make a person's data unreadable, for good."),
}
"""In the order in which they are listed."""


@click.group(
    cls=Root, named=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="fulfilment %(version)s")
def root() -> None:
    """Talk to the fulfilment ledger.

    \b
    An order from the shop to the door:
      fulfilment supplier add acme --name "Acme Ltd" --approve
      fulfilment place --channel shop --id 1001 --line TEA:2:9.90:acme --currency EUR --paid \\
          --name "Ann Example" --email ann@example.org --address "1 Elm Street" --city Berlin --country DE
      fulfilment order send shop/1001/1
      fulfilment order ack shop/1001/1
      fulfilment order ship shop/1001/1 --carrier dhl --number 00340434161094042557
      fulfilment parcel scan dhl 00340434161094042557 delivered
      fulfilment show shop/1001

    \b
    What to look at every day:
      operations        work next --owner operations, order holds,
                        report late, report due, report clocks
      supplier manager  work next --owner supplier_manager, supplier list,
                        supplier due, report rank, report counted,
                        supplier statement, stock alerts
      after-sales       work next --owner after_sales, case list,
                        inquiry list, recovery list

    \b
    Exit codes:
      0  done
      1  refused; the reason stands on standard error
      2  not understood: wrong options or arguments
      3  the service cannot be reached, or not in time, or cannot answer now

    The options below may stand anywhere on the line. Times without an offset are UTC.
    """


def main() -> None:
    """The entry point: every end is an exit code and at most one sentence."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    try:
        code = int(root.main(list(arguments), prog_name="fulfilment", standalone_mode=False) or 0)
        sys.stdout.flush()
        return code
    except click.exceptions.NoArgsIsHelpError as nothing:
        click.echo(nothing.format_message(), err=True)
        return USAGE
    except click.ClickException as error:
        return _end(arguments, _sentence(error), "USAGE", USAGE)
    except (ValueError, OverflowError) as error:
        # A number that no field of the message can hold.
        return _end(arguments, str(error), "USAGE", USAGE)
    except (click.Abort, KeyboardInterrupt):
        return _end(arguments, "stopped", "STOPPED", INTERRUPTED)
    except (BrokenPipeError, SystemExit):
        # The reader of a pipe has closed it; click makes an exit of that, and Python would fail when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Trouble as trouble:
        return _end(arguments, trouble.message, trouble.reason, trouble.exit_code, trouble.details)
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody at a terminal
        return _end(arguments, f"the console made a mistake: {type(error).__name__}: {error}", "INTERNAL", 1)


def _sentence(error: click.ClickException) -> str:
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message().rstrip('.')}; see {error.ctx.command_path} --help"
    return error.format_message()


def _end(arguments: Sequence[str], message: str, reason: str, code: int, details: dict[str, Any] | None = None) -> int:
    if "--json" in arguments:
        error = {"reason": reason, "message": message, "exit_code": code, "details": details or {}}
        print(words.plain(json.dumps({"error": error}, ensure_ascii=False)), file=sys.stderr)
        return code
    fields = ", ".join(map(paths, (details or {}).get("fields", [])))
    named = "" if reason in ("USAGE", "STOPPED", "UNREACHABLE", "TIMEOUT", "INTERNAL") else f" [{reason}]"
    where = f" (field {fields})" if fields and fields not in message else ""
    print(words.plain(f"Error: {' '.join(message.split())}{where}{named}"), file=sys.stderr)
    return code
