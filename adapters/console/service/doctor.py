"""``fulfilment doctor``: what the service finds when it looks over itself, and what to do."""

from __future__ import annotations

import click

from adapters.console.terminal.client import RequestRefused, Trouble
from adapters.console.terminal.commands import Words
from adapters.console.terminal.session import Session
from fulfilment import __version__
from fulfilment.v1 import admin_pb2, doctor_pb2

_WORDS = {
    doctor_pb2.FINDING_LEVEL_OK: "ok",
    doctor_pb2.FINDING_LEVEL_WARNING: "warning",
    doctor_pb2.FINDING_LEVEL_FAILS: "fails",
}
_CODES = {"ok": 0, "warning": 1, "fails": 2}


@click.command(cls=Words)
@click.option("--all", "show_all", is_flag=True, help="Also what is well.")
@click.pass_obj
def doctor(session: Session, show_all: bool) -> None:
    """Let the service look over itself, its machine and its database, and say what to do.

    Exits with 0 if all is well, 1 if something should be seen to, and 2 if something does not work, the service itself
    among it.
    """
    try:
        found = list(session.client.call(session.client.admin.Diagnose, doctor_pb2.DiagnoseRequest()).findings)
        version = session.client.call(session.client.admin.GetStatus, admin_pb2.GetStatusRequest()).version
    except Trouble as trouble:
        found, version = [_of_trouble(trouble)], __version__
    if version != __version__:
        found.append(_of_versions(version))
    if session.json:
        session.show(doctor_pb2.DiagnoseResponse(findings=found))
    else:
        _print(session, found, show_all=show_all)
    click.get_current_context().exit(max((_CODES[_word(each)] for each in found), default=0))


def _of_trouble(why: Trouble) -> doctor_pb2.Finding:
    refused = isinstance(why, RequestRefused)
    return doctor_pb2.Finding(
        check="service",
        level=doctor_pb2.FINDING_LEVEL_FAILS,
        found=str(why),
        advice="ask as a client of the role operations, admin or owner"
        if refused
        else "look whether it runs, and at the end of its log",
    )


def _of_versions(version: str) -> doctor_pb2.Finding:
    return doctor_pb2.Finding(
        check="console",
        level=doctor_pb2.FINDING_LEVEL_WARNING,
        found=f"this console is of version {__version__} and the service of {version}",
        advice="install the console of the service's version",
    )


def _word(finding: doctor_pb2.Finding) -> str:
    """What a later version may say besides is for somebody to see to."""
    return _WORDS.get(finding.level, "warning")


def _print(session: Session, found: list[doctor_pb2.Finding], *, show_all: bool) -> None:
    worst_first = sorted(found, key=lambda each: -_CODES[_word(each)])
    shown = [each for each in worst_first if show_all or _word(each) != "ok"]
    rows = [[_word(each), each.check, each.found, each.advice] for each in shown]
    session.out.table(["", "what", "found", "what to do"], rows)
    if not rows or not show_all:
        well = sum(1 for each in found if _word(each) == "ok")
        session.out.say(f"{well} of {len(found)} checks are well.")
