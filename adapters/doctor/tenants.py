"""The tenants: read models, messages, deliveries, clocks. What is well is one line for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.doctor.finding import Finding, fails, ok, warning
from adapters.metrics.standing import TenantStanding

_BEHIND_SECONDS = 60.0
_LATE_SECONDS = 300.0
_WAITING = 100


def of_tenants(standings: Mapping[str, TenantStanding], there_are: int, *, projector: bool) -> Iterator[Finding]:
    """``there_are`` so many, of which those that have a standing were looked at."""
    looked = f", of which {len(standings)} were looked at" if len(standings) < there_are else ""
    yield ok("tenants", f"{there_are} are granted{looked}")
    if not projector:
        advice = "start one: the service with --role all or projector; read models and deadlines stand still"
        yield fails("projector", "none has shown a sign of life for half a minute", advice)
    else:
        yield ok("projector", "it lives")
    for check, found in (
        ("read models", _read_models(standings)),
        ("messages", _messages(standings)),
        ("deliveries", _deliveries(standings)),
        ("deadlines", _deadlines(standings)),
    ):
        bad = list(found)
        yield from bad or [ok(check, "nothing waits for long in any tenant")]


def _read_models(standings: Mapping[str, TenantStanding]) -> Iterator[Finding]:
    for tenant, standing in standings.items():
        stands = [name for name, model in standing.models.items() if model.stands]
        behind = {name: model for name, model in standing.models.items() if model.lag_seconds > _BEHIND_SECONDS}
        if stands:
            advice = "fulfilment status names the error; a rebuild (fulfilment rebuild) starts over"
            yield fails("read models", f"{tenant}: {_named(stands)} stand still because of an error", advice)
        elif behind:
            longest = max(model.lag_seconds for model in behind.values())
            found = f"{tenant}: {_named([*behind])} are behind by up to {longest:.0f} s"
            yield warning("read models", found, "look whether the projector has a processor to itself")


def _messages(standings: Mapping[str, TenantStanding]) -> Iterator[Finding]:
    for tenant, standing in standings.items():
        given_up, waiting = standing.messages.get("given_up", 0), standing.messages.get("waiting", 0)
        if given_up:
            yield warning("messages", f"{tenant}: {given_up} were given up", "fulfilment message list shows why")
        if waiting > _WAITING:
            yield warning(
                "messages", f"{tenant}: {waiting} wait to be sent", "fulfilment status says what holds them up"
            )


def _deliveries(standings: Mapping[str, TenantStanding]) -> Iterator[Finding]:
    for tenant, standing in standings.items():
        failed, waiting = standing.inbox.get("failed", 0), standing.inbox.get("waiting", 0)
        if failed:
            yield warning("deliveries", f"{tenant}: {failed} could not be worked on", "fulfilment inbox list shows why")
        if waiting > _WAITING:
            yield warning("deliveries", f"{tenant}: {waiting} wait", "look whether the edges run (--web)")


def _deadlines(standings: Mapping[str, TenantStanding]) -> Iterator[Finding]:
    for tenant, standing in standings.items():
        if standing.late_seconds > _LATE_SECONDS:
            since = f"the first {standing.late_seconds:.0f} s ago"
            found = f"{tenant}: {standing.late} have run out and were not noticed, {since}"
            yield warning("deadlines", found, "look at the health of clock, and at the read model sla")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
