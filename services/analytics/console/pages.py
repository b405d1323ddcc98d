"""The pages: how business goes, the customers, and one customer through time."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI
from nicegui import ui
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.analytics.console import figures
from services.analytics.console.client import Api, Problem, SignInNeeded
from services.analytics.console.signin import sign_in

__all__ = ["mount"]

HOME = "/console"
"""Where the pages are mounted; NiceGUI puts it before the paths of its own links."""
_PATIENCE = 20
"""Seconds until the API, or a page made of its answers, counts as silent."""
_STYLE = """
body { background: #f6f7f7; color: #1f2937 }
.annals-card { background: white; border: 1px solid #e5e7eb; border-radius: 10px; padding: 16px;
               box-shadow: none; width: 100% }
.annals-figure { font-size: 1.6rem; font-weight: 600; line-height: 1.2 }
.annals-quiet { color: #6b7280; font-size: .85rem }
.annals-title { font-size: 1.05rem; font-weight: 600 }
"""

Json = Mapping[str, Any]


def mount(app: FastAPI) -> None:
    """Mount the console on a gateway: pages under `/console`, `/` leads there.

    Args:
        app: the gateway; its public API is all the console uses.
    """
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://annals", timeout=_PATIENCE
    )

    page = partial(ui.page, response_timeout=_PATIENCE)

    async def shown(title: str, build: Callable[[Api], Awaitable[None]]) -> Response | None:
        """Build a page of what its visitor may see."""
        visit = ui.context.client.request
        with _page(title), _told("This did not work"):
            try:
                await build(Api(client, visit.headers.get("Authorization")))
            except SignInNeeded as needed:
                return sign_in(str(needed))
        return None

    @page("/")
    async def overview() -> Response | None:
        return await shown("Overview", _overview)

    @page("/customers")
    async def customers(q: str = "", page_token: str = "") -> Response | None:
        return await shown("Customers", lambda api: _customers(api, q, page_token))

    @page("/customers/{account_id}")
    async def customer(account_id: str, as_of: str = "", time: str = "occurred") -> Response | None:
        return await shown("Customer", lambda api: _customer(api, account_id, as_of, time))

    @page("/leads")
    async def leads(q: str = "", page_token: str = "") -> Response | None:
        return await shown("Leads", lambda api: _leads(api, q, page_token))

    async def home(_request: Any) -> RedirectResponse:
        return RedirectResponse(f"{HOME}/")

    app.router.routes.insert(0, Route("/", home))
    ui.run_with(app, mount_path=HOME, title="Annals", favicon="📜", show_welcome_message=False)


class _page:  # noqa: N801 - reads as a statement
    """The frame of every page: the bar with the ways, and the column of content."""

    def __init__(self, title: str) -> None:
        ui.add_css(_STYLE)
        ui.page_title(f"{title} · Annals")
        with ui.header().classes("bg-white text-gray-900 border-b items-center gap-6 px-4 py-2"):
            ui.link("Annals", "/").classes("text-lg font-bold no-underline text-teal-800")
            for name, path in (("Overview", "/"), ("Leads", "/leads"), ("Customers", "/customers")):
                ui.link(name, path).classes("no-underline text-gray-700")
            ui.space()
            with ui.element("a").props('href="/docs"').classes("no-underline text-gray-500"):
                ui.label("API")
        self._column = ui.column().classes("w-full max-w-6xl mx-auto p-4 gap-4")

    def __enter__(self) -> None:
        self._column.__enter__()

    def __exit__(self, *error: object) -> None:
        self._column.__exit__(*error)


async def _overview(api: Api) -> None:
    numbers = ui.grid().classes("w-full grid-cols-2 md:grid-cols-4 gap-4")
    charts = ui.grid().classes("w-full grid-cols-1 md:grid-cols-2 gap-4")
    with _told("Funnel"):
        funnel = await api.get("/v1/funnel")
        stages = funnel["total"].get("stages", [])
        counts = {stage["stage"]: int(stage.get("count", 0)) for stage in stages}
        amounts = {stage["stage"]: stage.get("amounts", []) for stage in stages}
        with numbers:
            _figure("Leads", f"{counts.get('captured', 0):,}", "captured so far")
            _figure("Won", f"{counts.get('won', 0):,}", figures.moneys(amounts.get("won")))
            _figure("Paid", f"{counts.get('paid', 0):,}", figures.moneys(amounts.get("paid")))
        with charts, _card("Funnel"):
            ui.echart(figures.funnel_chart(stages)).classes("w-full h-72")
        _pipeline(funnel)
    with numbers, _told("Books"):
        trial = await api.get("/v1/ledger/trial-balance")
        balanced = trial.get("balanced", False)
        _figure("Books", "balanced" if balanced else "NOT balanced", "debits equal credits")
    with _told("Channels"):
        channels = (await api.get("/v1/channels")).get("items", [])
        with charts, _card("Channels"):
            ui.echart(figures.channel_chart(channels)).classes("w-full h-72")
        _channel_effect(channels)


def _pipeline(funnel: Json) -> None:
    with _card("Pipeline"):
        _table(
            [
                {
                    "stage": row["stage"],
                    "process": row["process_id"],
                    "deals": int(row.get("count", 0)),
                    "amount": figures.moneys(row.get("amounts")),
                }
                for row in funnel.get("pipeline", [])
            ],
            ("process", "stage", "deals", "amount"),
        )


def _channel_effect(channels: Sequence[Json]) -> None:
    with _card("Channel effect"):
        _table(
            [
                {
                    "channel": row.get("key") or "unknown",
                    "leads": int(row.get("leads", 0)),
                    "qualified": int(row.get("qualified", 0)),
                    "won": int(row.get("won", 0)),
                    "win rate": figures.share(row.get("win_rate", 0.0)),
                    "paid": figures.moneys(row.get("paid_amounts")),
                }
                for row in channels
            ],
            ("channel", "leads", "qualified", "won", "win rate", "paid"),
        )


async def _customers(api: Api, wanted: str, token: str) -> None:
    _search("Search customers by name", "/customers", wanted)
    found = await api.get(
        "/v1/accounts",
        fields="account_id,name,industry,region,lifecycle,owner_id",
        filter=f'name : "{_quoted(wanted)}"' if wanted else None,
        page_size=50,
        page_token=token,
    )
    with _card("Customers"):
        _table(
            [
                {
                    "name": row.get("name") or "(erased)",
                    "industry": row.get("industry") or "–",
                    "region": row.get("region") or "–",
                    "lifecycle": row.get("lifecycle") or "–",
                    "owner": row.get("owner_id") or "–",
                    "_link": f"{HOME}/customers/{row['account_id']}",
                }
                for row in found.get("items", [])
            ],
            ("name", "industry", "region", "lifecycle", "owner"),
        )
        _more("/customers", wanted, found)


async def _leads(api: Api, wanted: str, token: str) -> None:
    _search("Search leads by name or company", "/leads", wanted)
    text = _quoted(wanted)
    found = await api.get(
        "/v1/leads",
        fields="name,company,channel,status,grade,owner_id,captured_at,account_id",
        filter=f'name : "{text}" OR company : "{text}"' if wanted else None,
        order_by="captured_at desc",
        page_size=50,
        page_token=token,
    )
    with _card("Leads"):
        _table(
            [
                {
                    "name": row.get("name") or "–",
                    "company": row.get("company") or "–",
                    "channel": row.get("channel") or "–",
                    "status": row.get("status") or "–",
                    "grade": (row.get("grade") or "–").upper(),
                    "owner": row.get("owner_id") or "–",
                    "captured": figures.day(row.get("captured_at")),
                    "_link": f"{HOME}/customers/{row['account_id']}"
                    if row.get("account_id")
                    else None,
                }
                for row in found.get("items", [])
            ],
            ("name", "company", "channel", "status", "grade", "owner", "captured"),
        )
        _more("/leads", wanted, found)


async def _customer(api: Api, account_id: str, as_of: str, time: str) -> None:
    moment = f"{as_of}T23:59:59Z" if len(as_of) == len("2026-01-31") else as_of
    past = {"as_of": moment, "time": time if moment else None}
    _looking_back(account_id, as_of, time)
    with _told("Customer"):
        try:
            whole = await api.get(f"/v1/customers/{account_id}/360", **past)
        except Problem as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            with _card("Not a customer yet at that moment" if moment else "No such customer"):
                ui.label(str(problem)).classes("annals-quiet")
            return
        _whole(whole)
    with _told("Timeline"):
        timeline = await api.get(
            f"/v1/customers/{account_id}/timeline", page_size=200, newest_first="true", **past
        )
        _timeline(timeline)


def _timeline(timeline: Json) -> None:
    with _card("Timeline"), ui.timeline(side="right").classes("w-full"):
        for fact in timeline.get("items", []):
            with ui.timeline_entry(
                title=figures.fact_name(fact["topic"]),
                subtitle=f"{figures.clock(fact['occurred_at'])} · {fact['actor']}",
                color="teal" if fact["actor"].startswith("system:") else "blue-grey",
            ):
                ui.label(_gist(fact.get("data", {}))).classes("annals-quiet")


def _whole(whole: Json) -> None:
    profile = whole["profile"]
    satisfaction = whole.get("satisfaction", {})
    with ui.grid().classes("w-full grid-cols-1 md:grid-cols-3 gap-4"):
        with _card(profile.get("name") or "(erased)"):
            for label, value in (
                ("Industry", profile.get("industry")),
                ("Region", profile.get("region")),
                ("Owner", profile.get("owner_id")),
                ("Lifecycle", profile.get("lifecycle")),
                ("Channel", profile.get("channel")),
                ("Phones", ", ".join(profile.get("phones", []))),
                ("Tags", ", ".join(profile.get("tags", []))),
                ("Since", figures.day(profile.get("opened_at"))),
            ):
                _pair(label, value or "–")
        with _card("Contacts"):
            for contact in whole.get("contacts", []):
                title = ", ".join(contact.get("titles", [])) or contact.get("role") or ""
                _pair(contact.get("name") or "(erased)", title)
                phones = ", ".join((*contact.get("phones", []), *contact.get("emails", [])))
                ui.label(phones).classes("annals-quiet")
        with _card("Money"):
            for line in whole["ledger"].get("balances", []):
                _pair(line["ledger_account"], figures.money(line["balance"]))
            answers = int(satisfaction.get("answers", 0))
            average = satisfaction.get("average")
            _pair("Satisfaction", f"{average:.1f} of 5 ({answers})" if average else "–")
    with _card("Opportunities and contracts"):
        _table(
            [
                {
                    "what": "opportunity",
                    "name": row.get("name") or "–",
                    "status": f"{row.get('status')} · {row.get('stage')}",
                    "amount": figures.money(row.get("amount")),
                    "since": figures.day(row.get("opened_at")),
                }
                for row in whole.get("opportunities", [])
            ]
            + [
                {
                    "what": "contract",
                    "name": f"{row.get('number') or ''} {row.get('title') or ''}".strip(),
                    "status": row.get("status") or "–",
                    "amount": figures.money(row.get("total")),
                    "since": row.get("starts_on") or "–",
                }
                for row in whole.get("contracts", [])
            ],
            ("what", "name", "status", "amount", "since"),
        )
    with _card("Plan and receipts"):
        _table(
            [
                {
                    "due": row.get("due_on") or row.get("milestone") or "–",
                    "amount": figures.money(row["amount"]),
                    "paid": figures.money(row["paid"]),
                    "outstanding": figures.money(row["outstanding"]),
                    "status": row["status"],
                }
                for row in whole["ledger"].get("plan", [])
            ],
            ("due", "amount", "paid", "outstanding", "status"),
        )
    with _card("Tickets"):
        _table(
            [
                {
                    "number": row.get("number") or "–",
                    "subject": row.get("subject") or row.get("kind") or "–",
                    "priority": row.get("priority") or "–",
                    "status": row.get("status") or "–",
                    "response": row.get("response_sla") or "–",
                    "resolution": row.get("resolution_sla") or "–",
                    "opened": figures.day(row.get("opened_at")),
                }
                for row in whole.get("tickets", [])
            ],
            ("number", "subject", "priority", "status", "response", "resolution", "opened"),
        )


def _looking_back(account_id: str, as_of: str, time: str) -> None:
    here = f"/customers/{account_id}"

    def go() -> None:
        asked = {"as_of": moment.value, "time": kind.value} if moment.value else {}
        ui.navigate.to(f"{here}?{urlencode(asked)}" if asked else here)

    with ui.row().classes("items-end gap-4"):
        moment = ui.input("As of the end of", value=as_of).props("type=date dense stack-label")
        kind = ui.select(
            {"occurred": "as it happened", "recorded": "as we knew it"}, value=time
        ).props("dense")
        ui.button("Look", on_click=go).props("unelevated color=teal-8")
        if as_of:
            ui.link("back to now", here)


def _search(label: str, path: str, wanted: str) -> None:
    box = ui.input(label, value=wanted).props("dense clearable").classes("w-full md:w-96")
    box.on(
        "keydown.enter",
        lambda: ui.navigate.to(f"{path}?{urlencode({'q': box.value or ''})}"),
    )


def _more(path: str, wanted: str, found: Json) -> None:
    if token := found.get("next_page_token"):
        ui.link("More", f"{path}?{urlencode({'q': wanted, 'page_token': token})}")


@contextmanager
def _told(title: str) -> Iterator[None]:
    """Show a part of a page, or in its place why it cannot be shown."""
    try:
        yield
    except Problem as problem:
        with _card(title):
            ui.label(str(problem))


def _card(title: str) -> ui.card:
    card = ui.card().classes("annals-card")
    with card:
        ui.label(title).classes("annals-title")
    return card


def _figure(label: str, value: str, below: str) -> None:
    with ui.card().classes("annals-card"):
        ui.label(label).classes("annals-quiet")
        ui.label(value).classes("annals-figure")
        ui.label(below).classes("annals-quiet")


def _pair(label: str, value: str) -> None:
    with ui.row().classes("w-full justify-between no-wrap gap-4"):
        ui.label(label).classes("annals-quiet")
        ui.label(value).classes("text-right")


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    if not rows:
        ui.label("Nothing yet").classes("annals-quiet")
        return
    table = (
        ui.table(
            columns=[
                {"name": c, "label": c.capitalize(), "field": c, "align": "left"} for c in columns
            ],
            rows=[{"_row": number, **row} for number, row in enumerate(rows)],
            row_key="_row",
        )
        .props("flat dense wrap-cells")
        .classes("w-full")
    )
    if any(row.get("_link") for row in rows):
        table.add_slot(
            f"body-cell-{columns[0]}",
            """<q-td :props="props">
                 <a v-if="props.row._link" :href="props.row._link">{{ props.value }}</a>
                 <span v-else>{{ props.value }}</span>
               </q-td>""",
        )


def _gist(data: Json) -> str:
    """Return what a fact's payload says in one line: its short values."""
    parts = []
    for name, value in data.items():
        if name.endswith(("_id", "_ids")) or value in (None, "", [], {}):
            continue
        if isinstance(value, Mapping) and value.keys() == {"amount", "currency"}:
            parts.append(f"{name.replace('_', ' ')} {figures.money(value)}")
        elif isinstance(value, str | int | float):
            parts.append(f"{name.replace('_', ' ')} {value}")
    return " · ".join(parts)[:240]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
