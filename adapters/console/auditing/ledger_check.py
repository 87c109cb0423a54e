"""``fulfilment audit check``: whether the ledger is whole."""

from __future__ import annotations

import sys

import click

from adapters.console.terminal import words
from adapters.console.terminal.commands import Words
from adapters.console.terminal.session import Session
from fulfilment.v1 import audit_pb2


@click.command(cls=Words)
@click.option("--after", type=words.POSITION, default=0, metavar="POSITION", help="Only what came after it.")
@click.option("--without-read-models", is_flag=True, help="Leave these out, which take most of the time.")
@click.option("--wait", default=86_400.0, show_default=True, metavar="SECONDS", help="How long it may take.")
@click.pass_obj
def check(session: Session, after: int, without_read_models: bool, wait: float) -> None:
    """Read the whole ledger and recompute what must hold of it.

    It changes nothing, and exits with 1 if anything is wrong. A standby and a restored backup are checked without a
    service: fulfilment-server check --dsn DSN.
    """
    request = audit_pb2.CheckLedgerRequest(after=after, without_read_models=without_read_models)
    report = audit_pb2.LedgerReport()
    for answer in session.client.stream(session.client.audit.CheckLedger, request, wait):
        report = answer.report
        if answer.progress and sys.stderr.isatty():
            print(words.plain(answer.progress), file=sys.stderr, flush=True)
    if not report.checks:
        raise click.ClickException("The service ended before the check did. Ask again.")
    if session.json:
        session.show(report)
    else:
        _show_report(session, report)
    if any(each.found for each in report.checks):
        raise click.exceptions.Exit(1)


def _show_report(session: Session, report: audit_pb2.LedgerReport) -> None:
    since = f", after position {report.after}" if report.after else ""
    session.out.title(f"Ledger of {session.tenant_name}", f"checked up to position {report.checked_to}{since}")
    session.out.table(
        ["check", ">looked at", ">wrong"], [[each.check, each.looked_at, each.found] for each in report.checks]
    )
    for each in report.not_checked:
        session.out.say(f"Not checked: {each.what}: {each.because}.")
    for found in report.findings:
        place = f" at position {found.position}" if found.position else ""
        session.out.say(f"{found.check}{place} {found.stream}: {found.what}")
    wrong = sum(each.found for each in report.checks)
    session.out.say(f"{wrong} things are wrong." if wrong else "Everything holds.")
