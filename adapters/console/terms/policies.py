"""``fulfilment policy``: the retailer's own terms, and how to change some of them and keep the others."""

from __future__ import annotations

from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.terminal import files, words
from adapters.console.terminal.client import RequestRefused
from adapters.console.terminal.commands import Nouns, option_request_id
from adapters.console.terminal.past import AS_OF
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import minute
from adapters.console.terms.calendars import change_calendar, option_calendar, option_peaks
from adapters.console.terms.policy_words import changes_between, print_changes, print_terms
from adapters.console.terms.typed_terms import change_term, take_file
from fulfilment.v1 import admin_pb2, calendars_pb2, common_pb2


@click.group(cls=Nouns)
def policy() -> None:
    """Show and change the retailer's own terms."""


@policy.command()
@click.option("--at", type=words.INSTANT, help="As agreed for then; now if not said.")
@AS_OF
@click.pass_obj
def show(session: Session, at: Timestamp | None, as_of: common_pb2.AsOf | None) -> None:
    """Show the terms in force, which of them are the trade's defaults, and what was agreed for later."""
    found = _read(session, at, as_of=as_of)
    if session.json:
        session.show(found)
        return
    since = minute(found.in_force, "effective_from")
    session.out.title("Policy", f"in force since {since}" if since else "nothing was agreed: the trade's defaults")
    session.out.blank()
    print_terms(session, found)
    before = found.in_force.policy
    for version in found.to_come:
        session.out.blank()
        session.out.title("Policy", f"from {minute(version, 'effective_from')}")
        print_changes(session, changes_between(before, version.policy))
        before = version.policy


@policy.command("set")
@click.argument("terms", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    help="Terms as protobuf JSON of Policy, such as shipping_services; - reads standard input.",
)
@option_request_id()
@click.pass_obj
def change(
    session: Session, terms: tuple[str, ...], effective_from: Timestamp | None, source: Any, request_id: str | None
) -> None:
    """Change some of the terms in force; all others stay as they are.

    NAME is as `policy show` has it, with a point for a part: rate_targets.order_error=150, languages.FR=fr. Lists
    take commas. NAME= brings the trade's default back, and reroute_after.dispatch_hours=never leaves it to people.
    Of a file those terms change that it names, tables and lists as a whole.
    """
    if not terms and source is None:
        raise click.UsageError("Say what changes, as NAME=VALUE or with --file.")
    found = _read(session, effective_from)
    wanted = admin_pb2.Policy()
    wanted.CopyFrom(found.in_force.policy)
    if source is not None:
        take_file(wanted, files.text(source))
    for term in terms:
        name, equals, value = term.partition("=")
        if not equals:
            raise click.UsageError(f"{term!r} is not NAME=VALUE such as return_window_days=30")
        change_term(wanted, found.defaults, name, name, value.strip())
    _agree(session, found, wanted, effective_from, request_id)


@policy.command()
@option_calendar
@option_peaks("the retailer's own")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@option_request_id()
@click.pass_obj
def calendar(session: Session, /, effective_from: Timestamp | None, request_id: str | None, **said: Any) -> None:
    """Say when the retailer works; what is not named stays as it is.

    Its own clocks go by it where they are in working time: policy set working.terms.answer_within=1wd.
    """
    found = _read(session, effective_from)
    wanted = admin_pb2.Policy()
    wanted.CopyFrom(found.in_force.policy)
    own = calendars_pb2.WorkingCalendar()
    own.CopyFrom(wanted.working.calendar)
    if change_calendar(own, said):
        wanted.working.calendar.CopyFrom(own)
    for since, until, hours in said["peaks"]:
        wanted.peaks.add(since=since, until=until, extra_hours=hours)
    _agree(session, found, wanted, effective_from, request_id)


def _agree(
    session: Session,
    found: admin_pb2.GetPolicyResponse,
    wanted: admin_pb2.Policy,
    effective_from: Timestamp | None,
    request_id: str | None,
) -> None:
    """Agree the terms that are wanted instead of those found in force, and tell what changed."""
    before = found.in_force
    if wanted == before.policy:
        if session.json:
            session.out.json({"receipt": None, "changed": {}, "in_force": words.as_json(before)})
        else:
            session.out.say("Nothing changes: these terms are in force.")
        return
    request = admin_pb2.AgreePolicyRequest(
        context=session.client.context(request_id),
        policy=wanted,
        effective_from=effective_from,
        seen_versions=found.versions,
    )
    try:
        receipt = session.client.call(session.client.admin.AgreePolicy, request)
    except RequestRefused as refused:
        raise refused.seen_from("policy") from None
    after = _read(session, effective_from, receipt.position)
    changes = changes_between(before.policy, after.in_force.policy)
    if session.json:
        changed = {name: {"was": was, "is": now} for name, was, now in changes}
        session.out.json(
            {"receipt": words.as_json(receipt), "changed": changed, "in_force": words.as_json(after.in_force)}
        )
        return
    session.out.title("Policy", f"from {minute(after.in_force, 'effective_from')}")
    print_changes(session, changes)
    for version in after.to_come:
        since = version.effective_from.ToJsonString()
        follow = minute(version, "effective_from")
        session.out.say(f"Terms agreed earlier follow on {follow}; change them as well with --from {since}.")


def _read(
    session: Session, at: Timestamp | None, at_least: int = 0, as_of: common_pb2.AsOf | None = None
) -> admin_pb2.GetPolicyResponse:
    request = admin_pb2.GetPolicyRequest(at=at, at_least=at_least, as_of=as_of)
    return session.client.call(session.client.admin.GetPolicy, request)
