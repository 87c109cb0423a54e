"""The command ``fulfilment``: the ledger at a terminal, over gRPC."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from adapters.console import words
from adapters.console.admin import rebuild, snapshots, status, tenant
from adapters.console.audit import audit
from adapters.console.cases import case
from adapters.console.client import Trouble
from adapters.console.clocks import clock
from adapters.console.commands import Root
from adapters.console.customer_invoices import invoice
from adapters.console.doctor import doctor
from adapters.console.edges import connection, inbox
from adapters.console.effects import effect
from adapters.console.export import export
from adapters.console.finding import find
from adapters.console.history import history
from adapters.console.importing import imports
from adapters.console.inquiries import inquiry
from adapters.console.ledger_check import check
from adapters.console.log import log
from adapters.console.messages import message
from adapters.console.orders import order
from adapters.console.parcels import parcel
from adapters.console.people import erase, person
from adapters.console.place import place
from adapters.console.policies import policy
from adapters.console.recoveries import recovery
from adapters.console.reports import report
from adapters.console.sentences import paths
from adapters.console.shipping import shipping
from adapters.console.show import show
from adapters.console.skus import sku
from adapters.console.stock import stock
from adapters.console.suppliers import supplier
from adapters.console.texts import text
from adapters.console.work import work
from fulfilment import __version__

USAGE = 2
INTERRUPTED = 130


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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


for command in (
    *(place, show, find, history, log, order, invoice, parcel, shipping, inquiry, case, message, work),
    *(stock, sku, supplier, recovery, report, export, imports),
    *(connection, inbox, effect, text),
    *(policy, clock, status, doctor, rebuild, snapshots, tenant, audit, person, erase),
):
    root.add_command(command)
audit.add_command(check)


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


if __name__ == "__main__":
    main()
