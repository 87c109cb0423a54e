"""Who asks for a page of tracking, what they may see, and the pages that every visit can end with."""

from __future__ import annotations

from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from adapters.tenants import Tenant
from adapters.tracking_page import rendering
from adapters.tracking_page.forms import Form, form_of
from adapters.tracking_page.links import PATH
from adapters.tracking_page.rendering import NOT_KEPT
from adapters.tracking_page.story import Story
from adapters.tracking_page.wording import PageWords, language_of
from adapters.web.bodies import read_body
from ledger.terms.brands import Brand

_LONGEST_FORM_BYTES = 64 << 10
_FORM_SECONDS = 10.0
RETRY_SECONDS = "300"
_NOBODY = Brand()


class AnsweredVisit(Exception):
    """Nothing else is to be answered than this."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Visit(NamedTuple):
    """A request, before it is known what it is about."""

    request: Request
    visitor: str
    lang: str
    """The language that was chosen by the switch; empty if none was."""

    def words(self, usual: str = "", zone: str = "UTC") -> PageWords:
        return PageWords(language_of(self.lang, self.request.headers.get("accept-language", ""), usual), zone)

    @property
    def query(self) -> str:
        """What keeps the chosen language in further addresses."""
        return f"?lang={self.lang}" if self.lang else ""


class ShownOrder(NamedTuple):
    """An order that somebody may see."""

    visit: Visit
    tenant: Tenant
    token: str
    story: Story
    words: PageWords

    @property
    def here(self) -> str:
        return PATH + self.token

    def back(self, further: str = "", place: str = "") -> Response:
        """To a page of the order, which is then asked for anew."""
        address = f"{self.here}{further}{self.visit.query}{place}"
        return RedirectResponse(address, 303, {"cache-control": NOT_KEPT, "referrer-policy": "no-referrer"})


async def form_in(request: Request, most_bytes: int = _LONGEST_FORM_BYTES, seconds: float = _FORM_SECONDS) -> Form:
    """The form that was sent. Raises TooLarge, TooSlow, BadPacking or BadForm."""
    body = await read_body(request, most_bytes, seconds)
    return form_of(request.headers.get("content-type", ""), body)


def page_of(
    name: str, shown: ShownOrder, values: dict[str, Any], *, status: int = 200, cached: str = NOT_KEPT
) -> Response:
    values = {"story": shown.story, "here": shown.here, "lang": shown.visit.query, **values}
    return rendering.page(name, shown.words, shown.story.brand, values, status=status, cached=cached)


def message(visit: Visit, what: str, status: int, brand: Brand = _NOBODY, find: str = "") -> Response:
    """A page with nothing but a word to whoever came."""
    values = {"what": what, "find": find, "lang": visit.query}
    answer = rendering.page("message", visit.words(), brand, values, status=status)
    if status in (429, 503):
        answer.headers["retry-after"] = RETRY_SECONDS
    return answer
