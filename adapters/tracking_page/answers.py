"""What answers under the addresses of the tracking page.

The address itself is the right to see it: there is no cookie and no login, so that no other site can make a browser do
anything here that it does not know the address of.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.access.callers import Caller
from adapters.edges.worker import ACTOR
from adapters.rpc.calls import Call, rpc_of
from adapters.rpc.commands import Commands
from adapters.tenants import Tenants
from adapters.tracking_page import reading, rendering, reporting
from adapters.tracking_page.forms import BadForm, Form
from adapters.tracking_page.limits import BAD_LINKS, PAGES, TELLING_ABOUT, TELLING_FROM, Rates, VisitLimit, visitor_of
from adapters.tracking_page.links import PATH, TrackingLinks
from adapters.tracking_page.rendering import LOOK_AGAIN, NOT_KEPT
from adapters.tracking_page.reporting import MOST_FILES, FormError, Given
from adapters.tracking_page.searching import SearchPage
from adapters.tracking_page.story import ShownCase
from adapters.tracking_page.visits import AnsweredVisit, ShownOrder, Visit, form_in, message, page_of
from adapters.tracking_page.wording import LANGUAGES
from adapters.web.bodies import BadPacking, TooLarge, TooSlow
from fulfilment.v1 import cases_pb2, common_pb2, order_feedback_pb2
from ledger.engine.sealing import Sealer
from ledger.engine.trouble import in_short, is_trouble
from ledger.refusals import Exhausted, Malformed, Refusal, Unavailable, UnknownTenant

log = logging.getLogger("fulfilment.web")

LONGEST_REPORT_BYTES = 20 << 20
_REPORT_SECONDS = 180.0
_MOST_REPORTS = 12
"""So many may be under way in this process, whose files are in memory."""
_FORM_IS_GOOD_SECONDS = 2 * 86400

Handler = Callable[["Visit"], Awaitable[Response]]


class TrackingPages:
    """Answers customers of all tenants."""

    def __init__(self, tenants: Tenants, sealer: Sealer, commands: Commands, *, behind_proxy: bool) -> None:
        self._tenants = tenants
        self._sealer = sealer
        self._commands = commands
        self._behind_proxy = behind_proxy
        self._links = TrackingLinks(sealer)
        self._rates = Rates()
        self._search = SearchPage(tenants, sealer, self._links, self._rates)
        self._reports = 0

    def routes(self) -> list[BaseRoute]:
        def route(path: str, get: Handler, post: Handler | None = None) -> Route:
            async def answer(request: Request) -> Response:
                return await self._answer(request, post if request.method == "POST" and post else get)

            return Route(path, answer, methods=["GET", "POST"] if post else ["GET"])

        return [
            route(PATH + "{token}", self._order),
            route(PATH + "{token}/received", self._after_receipt, self._confirm),
            route(PATH + "{token}/problem", self._problem, self._report),
            route(PATH + "{token}/report/{case_id}", self._case, self._add_photos),
            route("/track/{tenant}/{channel}", self._search.search, self._search.find),
            Route("/page/{name}", _style, methods=["GET"]),
            Route("/robots.txt", _robots, methods=["GET"]),
        ]

    async def _answer(self, request: Request, handler: Handler) -> Response:
        """The one place where a page ends badly."""
        lang = request.query_params.get("lang", "")
        visitor = visitor_of(request, behind_proxy=self._behind_proxy)
        visit = Visit(request, visitor, lang if lang in LANGUAGES else "")
        try:
            self._count(visit, PAGES, visitor)
            if request.method == "POST" and request.headers.get("sec-fetch-site", "") == "cross-site":
                raise AnsweredVisit(message(visit, "not_found", 403))
            return await handler(visit)
        except AnsweredVisit as answered:
            return answered.response
        except (UnknownTenant, Malformed):
            return message(visit, "not_found", 404)
        except (TooSlow, ClientDisconnect, BadPacking, BadForm):
            return message(visit, "trouble", 400)
        except (Exhausted, Unavailable):
            return message(visit, "trouble", 503)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said politely
            if not is_trouble(error):
                log.error("a tracking page failed with %s", in_short(error))
            return message(visit, "trouble", 503)

    def _count(self, visit: Visit, limit: VisitLimit, key: str) -> None:
        if not self._rates.allows(limit, key, monotonic()):
            raise AnsweredVisit(message(visit, "busy", 429))

    # --- the order ------------------------------------------------------------------------------------

    async def _shown(self, visit: Visit) -> ShownOrder:
        """The order that the link leads to. Whether there is one is told to nobody whose link was not made here."""
        token, now = visit.request.path_params["token"], datetime.now(UTC)
        linked = self._links.opened(token)
        if linked is None:
            self._count(visit, BAD_LINKS, visit.visitor)
            raise AnsweredVisit(message(visit, "not_found", 404))
        tenant = await self._tenants.find(linked.tenant)
        found = await reading.find(tenant, linked.order_id, now)
        if found is None:
            raise AnsweredVisit(message(visit, "not_found", 404))
        if not found.order.tracking_link.opens(linked.number):
            is_renewed = not found.order.tracking_link.is_withdrawn
            where = f"/track/{tenant.name}/{found.order.placed.channel}" if is_renewed else ""
            raise AnsweredVisit(message(visit, "gone", 410, found.brand, find=where))
        story = await reading.tell(tenant, self._sealer, found, now)
        return ShownOrder(visit, tenant, token, story, visit.words(story.language, story.zone))

    async def _order(self, visit: Visit) -> Response:
        answer = self._order_page(await self._shown(visit), [], 200, LOOK_AGAIN)
        return rendering.unless_known(visit.request, answer)

    def _order_page(self, shown: ShownOrder, errors: Sequence[FormError], status: int, cached: str) -> Response:
        again = shown.story.replacements
        paths = [self._links.path_of(shown.tenant.name, order_id, number) for order_id, number in again]
        return page_of("order", shown, {"errors": errors, "replacements": paths}, status=status, cached=cached)

    async def _after_receipt(self, visit: Visit) -> Response:
        return (await self._shown(visit)).back()

    async def _confirm(self, visit: Visit) -> Response:
        shown = await self._shown(visit)
        self._count_report(shown)
        form = await form_in(visit.request)
        if form.fields.get("all") != "yes":
            return self._order_page(shown, [FormError("all", shown.words("receipt.tick"))], 422, NOT_KEPT)
        request = order_feedback_pb2.ConfirmReceiptRequest(
            context=common_pb2.CommandContext(request_id=f"page/{reporting.new_form()}", actor="customer"),
            order_id=shown.story.order_id,
            by=common_pb2.PARTY_CUSTOMER,
        )
        try:
            if shown.story.can_confirm:
                await self._execute(shown, request)
        except (Exhausted, Unavailable):
            raise
        except Refusal:
            return self._order_page(shown, [FormError("confirm", shown.words("receipt.not_yet"))], 409, NOT_KEPT)
        return shown.back()

    # --- reports --------------------------------------------------------------------------------------

    async def _problem(self, visit: Visit) -> Response:
        return self._problem_page(await self._shown(visit), Given(), [], 200)

    def _problem_page(self, shown: ShownOrder, given: Given, errors: Sequence[FormError], status: int) -> Response:
        values = {
            "kinds": list(shown.story.reportable),
            "lines": reporting.lines_of(shown.story),
            "form": self._new_form(shown),
            "given": given,
            "errors": errors,
        }
        return page_of("problem", shown, values, status=status)

    async def _report(self, visit: Visit) -> Response:
        shown = await self._shown(visit)
        try:
            form, known_as = await self._told(shown)
        except TooLarge:
            return self._problem_page(shown, Given(), [FormError("photos", shown.words("problem.too_large"))], 413)
        given = reporting.given_in(form)
        if not known_as:
            return self._problem_page(shown, given, [FormError("kind", shown.words("problem.old_form"))], 409)
        if self._is_recorded(shown, known_as):
            return await self._with_files(shown, self._case_id(known_as), form, known_as)
        found = reporting.checked(shown.story, form, shown.words)
        if isinstance(found, list):
            return self._problem_page(shown, given, found, 422)
        try:
            receipt = await self._execute(shown, reporting.opening(shown.story, found, known_as))
        except (Exhausted, Unavailable):
            raise
        except Refusal:
            return self._problem_page(shown, given, [FormError("kind", shown.words("problem.refused"))], 409)
        return await self._with_files(shown, receipt.made_id, form, known_as)

    def _case_id(self, known_as: str) -> str:
        """Of the case that a form becomes, which its id gives."""
        request = cases_pb2.OpenCaseRequest(context=common_pb2.CommandContext(request_id=known_as))
        return self._commands.make_id(request, ACTOR).id

    def _is_recorded(self, shown: ShownOrder, known_as: str) -> bool:
        """Whether the same form was sent before: a browser repeats, and people press twice."""
        return any(each.case_id == self._case_id(known_as) for each in shown.story.cases)

    async def _with_files(self, shown: ShownOrder, case_id: str, form: Form, known_as: str) -> Response:
        """The report is recorded; what cannot be added to it now can be from its page."""
        with suppress(Refusal):
            for piece in reporting.evidence(case_id, form.files[:MOST_FILES], known_as):
                await self._execute(shown, piece)
        return shown.back(f"/report/{case_id}")

    async def _case(self, visit: Visit) -> Response:
        shown = await self._shown(visit)
        return self._case_page(shown, _case_of(shown), [], 200)

    def _case_page(self, shown: ShownOrder, case: ShownCase, errors: Sequence[FormError], status: int) -> Response:
        return page_of("report", shown, {"each": case, "form": self._new_form(shown), "errors": errors}, status=status)

    async def _add_photos(self, visit: Visit) -> Response:
        shown = await self._shown(visit)
        case = _case_of(shown)
        try:
            form, known_as = await self._told(shown)
        except TooLarge:
            return self._case_page(shown, case, [FormError("photos", shown.words("problem.too_large"))], 413)
        errors = list(reporting.bad_files(form.files, shown.words))
        if not form.files:
            errors.append(FormError("photos", shown.words("thanks.no_file")))
        if not known_as or not case.is_open:
            errors = [FormError("photos", shown.words("problem.old_form"))]
        if errors:
            return self._case_page(shown, case, errors, 422)
        return await self._with_files(shown, case.case_id, form, known_as)

    async def _told(self, shown: ShownOrder) -> tuple[Form, str]:
        """What was filled in, and what its report is known as; empty where the form is not one of this page."""
        self._count_report(shown)
        if self._reports >= _MOST_REPORTS:
            raise AnsweredVisit(message(shown.visit, "busy", 503, shown.story.brand))
        self._reports += 1
        try:
            form = await form_in(shown.visit.request, LONGEST_REPORT_BYTES, _REPORT_SECONDS)
        finally:
            self._reports -= 1
        made_at, _, nonce = self._links.words_of(shown.token, form.fields.get("form", "")).partition(" ")
        is_good = bool(nonce) and datetime.now(UTC).timestamp() - int(made_at) <= _FORM_IS_GOOD_SECONDS
        return form, f"page/{nonce}" if is_good else ""

    def _new_form(self, shown: ShownOrder) -> str:
        made_at = int(datetime.now(UTC).timestamp())
        return self._links.form_of(shown.token, f"{made_at} {reporting.new_form()}")

    def _count_report(self, shown: ShownOrder) -> None:
        self._count(shown.visit, TELLING_FROM, shown.visit.visitor)
        self._count(shown.visit, TELLING_ABOUT, f"{shown.tenant.name} {shown.story.order_id}")

    async def _execute(self, shown: ShownOrder, request: Any) -> common_pb2.Receipt:
        """A command of the customer, as a shop could send it."""
        name = shown.tenant.name
        caller = Caller(ACTOR, "shop", frozenset((name,)))
        return await self._commands.execute(request, Call(rpc_of(request), caller, name, None))


def _case_of(shown: ShownOrder) -> ShownCase:
    wanted = shown.visit.request.path_params["case_id"]
    case = next((each for each in shown.story.cases if each.case_id == wanted), None)
    if case is None or shown.story.is_erased:
        raise AnsweredVisit(message(shown.visit, "not_found", 404))
    return case


async def _style(request: Request) -> Response:
    return rendering.style(request.path_params["name"]) or PlainTextResponse("there is no such page\n", 404)


async def _robots(request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
