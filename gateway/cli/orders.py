"""`mallgate orders`: what became of an order, orders that nobody knows the end of, and a person's word about one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.text import Text

from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table
from gateway.cli.pulls import age, span

UNANSWERED, HELD = "unanswered", "held"

orders = App(name="orders", help="Look at what became of orders; say what a person found out about one.")

OpenState = Literal["waiting", "sending", "retry", "unknown", "looking_up", "parked", "held", "dead", "unanswered"]


@orders.command(name="list")
async def list_(
    *,
    state: OpenState | None = None,
    supplier: str | None = None,
    after: int | None = None,
    limit: int = 20,
    json: Json = False,
) -> None:
    """What was asked of suppliers and has not ended, the oldest first, with what would resolve it.

    Parameters
    ----------
    state: str
        Only in this state. Without it: unknown, parked, held and dead, about which a person may have a word, and what
        vendors acknowledged and did not answer by its deadline. unanswered: that, before its deadline too.
    supplier: str
        Only at this supplier.
    after: int
        Only those behind this place: where the page before ended.
    limit: int
        At most so many.
    """
    async with admin() as client:
        page = await client.get("orders", state=state, supplier=supplier, after=after, limit=limit)
    if json:
        emit(page["commands"])
        return
    now = datetime.now(UTC)
    table(
        "#place|order|supplier|operation|state|since|deadline|what resolves it",
        (_row(each, now) for each in page["commands"]),
        empty="No such order." if state else "No order waits for a person, and of each it is known what became of it.",
    )
    print_paging_hint(page["next"])


@orders.command
async def show(order: str, /, *, words: Annotated[bool, Parameter(negative="")] = False, json: Json = False) -> None:
    """Everything that happened to an order, over all hops, and what would resolve it.

    Parameters
    ----------
    order: str
        The mall's number of the order.
    words: bool
        Show the suppliers' own words too; they may name people, so that this is noted in the audit.
    """
    async with admin() as client:
        found = await client.get("orders", order, words="true" if words else None)
    if json:
        emit(found)
        return
    for index, each in enumerate(found["orders"]):
        if index:
            console.print()
        _show(found["order_no"], each)
    if found["left_off"]:
        console.print(Text("There are more steps than these, which are the last.", style="dim"))


@orders.command
async def resolve(
    command: str,
    word: Literal["done", "not-done"],
    /,
    *,
    reason: str,
    supplier_order_no: str | None = None,
    json: Json = False,
) -> None:
    """Say what a person found out at the supplier about a command whose effect is in doubt.

    done: it took effect, and the mall is told so. not-done: it has not and never will; it is sent again where its
    deadline allows, or counts as refused where the supplier refused it. What waits behind it goes on by itself.

    Parameters
    ----------
    command: str
        Id of the command, as `mallgate orders list` and `show` have it.
    word: str
        done or not-done.
    reason: str
        How that was found out; kept in the audit.
    supplier_order_no: str
        The supplier's number of an order that is there, where it is not known yet.
    """
    body = {"resolution": word.replace("-", "_"), "reason": reason, "supplier_order_no": supplier_order_no}
    async with admin() as client:
        found = await client.post("commands", command, "resolve", body=body)
    if json:
        emit(found)
    else:
        print_decision(found)


def print_decision(found: dict[str, Any]) -> None:
    """Where a command stands after a person's word, which is not where its order does."""
    see = f"mallgate orders show {found['order_no']}"
    about = [("order", found["order_no"]), ("command", found["command_id"])]
    facts([*about, ("which is now", found["state"]), ("what follows", see)])


def print_paging_hint(place: int | None) -> None:
    """Where the next page begins."""
    if place is not None:
        console.print(Text(f"More with --after {place}", style="dim"))


def _row(found: dict[str, Any], now: datetime) -> list[object]:
    plain = [str(found["place"]), *(found[name] for name in ("order_no", "supplier", "operation", "state"))]
    return [*plain, age(found["since"], now), ahead(found["deadline"], now), found["advice"] or found["stands"]]


def ahead(instant: str | None, now: datetime) -> str | None:
    """In how long an instant of the API is, or how long ago it was."""
    if instant is None:
        return None
    seconds = (datetime.fromisoformat(instant) - now).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def _show(order_no: str, found: dict[str, Any]) -> None:
    numbers = [each["supplier_order_no"] for each in found["numbers"] if not each["superseded"]]
    days = {(moment(entry["at"]) or "").split(" ")[0] for entry in found["timeline"]}
    facts(
        [
            ("order", order_no),
            ("supplier", found["supplier"]),
            ("state", found["state"]),
            ("supplier's numbers", numbers),
            *[("after-sale", service_line(each)) for each in found.get("after_sales", ())],
            *(_lane(found["lane"]) if found["lane"] else ended(found)),
            *(("contract", _contract(each)) for each in found["contracts"]),
            ("day", days.copy().pop() if len(days) == 1 else None),
        ]
    )
    console.print()
    facts(fact for command in found["commands"] for fact in _command(command))
    console.print()
    _show_invoices(found["invoices"])
    tasks = len(found["commands"]) > 1
    table(
        "at|#after" + ("|command" if tasks else "") + "|what happened",
        (_entry(entry, tasks=tasks, one_day=len(days) == 1) for entry in found["timeline"]),
        empty="Nothing happened yet.",
    )


def _contract(found: dict[str, Any]) -> str:
    """Where a contract stands, in its parts; of one whose command waits, what it waits for."""
    receipts = f"announcement {found['announcement']}, filing {found['filing']}"
    line = f"{found['contract_no']} revision {found['revision']}: {found['state']}, {found['answer']}; {receipts}"
    lane = found["lane"]
    if lane is None:
        return line
    todo = f"; to do: {lane['advice']}" if lane["advice"] else ""
    return f"{line}\n{lane['operation']} is {lane['state']}: {lane['stands']}{todo}"


def _show_invoices(applications: list[dict[str, Any]]) -> None:
    """What was applied for, and what was made out of it."""
    if not applications:
        return
    table("application|state|invoice|date|#net|#rate|#tax|#gross|kind", _invoice_rows(applications), empty="")
    console.print()


def _invoice_rows(applications: list[dict[str, Any]]) -> Iterator[list[object]]:
    for each in applications:
        head: list[object] = [each["mark_id"], each["state"]]
        asked = each["asked"]
        yield [*head, "asked for", None, asked["net"], None, asked["tax"], asked["gross"], None]
        for invoice in each["invoices"]:
            number = " ".join(filter(None, (invoice["code"], invoice["number"])))
            amounts = [invoice[name] for name in ("net", "rate", "tax", "gross")]
            yield ["", "", number, invoice["issued_on"], *amounts, invoice["standing"]]


def service_line(found: dict[str, Any]) -> str:
    """An after-sale service on one line: its number, what is wanted of what, where it stands."""
    goods = ", ".join(f"{quantity} × {sku}" for sku, quantity in found["lines"].items())
    child = f" of {found['supplier_order_no']}" if found["supplier_order_no"] else ""
    number = f", the supplier's number is {found['supplier_service_no']}" if found["supplier_service_no"] else ""
    return f"{found['service_no']}: {found['kind']} of {goods}{child} is {found['state'].replace('_', ' ')}{number}"


def _task(operation: str | None) -> str | None:
    return None if operation is None else operation.removeprefix("order.")


def _command(command: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """What became of a command; what is to do about one that no lane waits behind."""
    yield _task(command["operation"]) or "", f"{_sentence(command['summary'])}\n({command['command_id']})"
    if command["state"] == UNANSWERED:
        yield "to do", command["advice"]


def ended(found: dict[str, Any]) -> list[tuple[str, object]]:
    """Of an order of which no command is under way."""
    if any(each["state"] == UNANSWERED for each in found["commands"]):
        return [("now", "its vendor has not answered yet")]
    if found["state"] == HELD:
        todo = "nothing here: the mall cancels the order, or sends it anew with a higher revision"
        return [
            ("now", "the supplier has something else than was asked for, and the mall was told so"),
            ("to do", todo),
        ]
    return [("now", "everything that was asked for has ended"), ("to do", "nothing")]


def _lane(lane: dict[str, Any]) -> list[tuple[str, object]]:
    behind = f"; what waits behind it: {lane['followers']}" if lane["followers"] else ""
    return [
        ("now", f"{_task(lane['operation'])} is {lane['state']}: {lane['stands']}{behind}"),
        ("deadline", moment(lane["deadline"])),
        ("to do", lane["advice"] or "nothing: it goes on by itself"),
    ]


def _entry(entry: dict[str, Any], *, tasks: bool, one_day: bool) -> list[object]:
    due = f"; the next try is at {_time(entry['due_at'], one_day=one_day)}" if entry["due_at"] else ""
    words = f"\n“{entry['words']}”" if entry["words"] else ""
    head: list[object] = [_time(entry["at"], one_day=one_day), _distance(entry["seconds"])]
    return [*head, *([_task(entry["operation"])] if tasks else []), entry["text"] + due + words]


def _time(text: str, *, one_day: bool) -> str:
    """one_day: whether all that is shown happened on one, which is said above it."""
    whole = moment(text) or ""
    return whole.split(" ")[1] if one_day else whole


def _distance(seconds: float | None) -> str:
    """How long after the step before."""
    if seconds is None:
        return ""
    return f"+{seconds:.1f}s" if seconds < 10 else f"+{span(seconds)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
