"""Known leads and customers, looked up for the duplicate rules: for many statements at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.leads.commands import Statement
from services.leads.domain.duplicates import DuplicateRules, Origin, Statable, UniqueKey
from services.leads.domain.lead import Lead
from services.leads.domain.profile import checked_statement
from services.leads.projections.known_customers import accounts_with, address
from shared.chassis.application import Work
from shared.chassis.database import Database
from shared.chassis.shapes import Refused

__all__ = ["Known", "foresee", "stated"]


class Known:
    """Known leads by what they hold, known customers by the read model.

    Args:
        work: the decision's; may hold what was foreseen.
        views: the read model's database; None knows no customers.
    """

    def __init__(self, work: Work, views: Database | None) -> None:
        self._work = work
        self._views = views

    def lead_with(self, key: UniqueKey) -> str | None:
        """Return the lead that holds the key."""
        return self._work.holder(*key)

    def stated_at(self, lead_id: str) -> datetime | None:
        """Return when the lead last stated an interest."""
        return self._work.load(Lead, lead_id).stated_at

    def customers_with(self, field: str, values: Sequence[str]) -> set[str]:
        """Return the accounts reached under one of these phones or (case-folded) emails."""
        if self._views is None:
            return set()
        wanted = {address(field, value) for value in values}
        foreseen: _Addresses | None = self._work.foreseen.get(_Addresses)
        if foreseen is None or not wanted <= foreseen.asked:
            foreseen = _Addresses(wanted, _known_among(self._views, wanted))
        if foreseen.known.isdisjoint(wanted):
            return set()
        with self._views.read() as connection:
            return accounts_with(connection, field, values)


class _Addresses(NamedTuple):
    asked: set[str]
    known: set[str]


def stated(work: Work, rules: DuplicateRules, command: Statement) -> Statable:
    """Return what a command states, as the rules compare it.

    Raises:
        Invalid: fields do not fit.
    """
    foreseen: Statable | None = work.foreseen.get(command.envelope.command_id)
    if foreseen is not None and foreseen.rules is rules:
        return foreseen
    origin = Origin(command.channel, command.campaign_id, command.unit_id)
    return rules.comparable(checked_statement(command), origin)


def foresee(
    work: Work, rules: DuplicateRules, views: Database | None, commands: Iterable[Statement]
) -> None:
    """Look up at once whom the rules will ask for."""
    places: list[tuple[str, str]] = []
    addresses: set[str] = set()
    for command in commands:
        if command.source and command.external_id:
            places.append((f"external:{command.source}", command.external_id))
        try:
            made = stated(work, rules, command)
        except Refused:
            continue  # told when the command is decided
        work.foreseen[command.envelope.command_id] = made
        places += made.keys
        addresses.update(address(field, value) for field, value in made.addresses())
    work.look_up(places)
    if views is not None:
        work.foreseen[_Addresses] = _Addresses(addresses, _known_among(views, addresses))


def _known_among(views: Database, addresses: Iterable[str]) -> set[str]:
    """Return those of many addresses under which somebody is or was reached."""
    wanted = sorted(addresses)
    if not wanted:
        return set()
    listed, among = views.among(["address"], wanted)
    query = f"SELECT address FROM customer_addresses WHERE {listed}"  # noqa: S608 - names from the code
    return {address for (address,) in views.fetch(query, among)}
