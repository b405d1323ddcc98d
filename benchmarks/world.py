"""A company of any size, made with the product's own commands, for benchmarks to look at."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from annals.installation import service_values
from services.accounts.commands import AddContact, OpenAccount, RecordActivity
from services.billing.commands import (
    ApplyForInvoice,
    ContractLine,
    ImportContract,
    ImportPayment,
    InstalmentTerms,
    IssueInvoice,
)
from services.leads.commands import ImportedConversion, ImportLead
from services.pipeline.commands import ImportOpportunity, Outcome
from services.support.commands import ImportTicket
from shared.chassis.api.identity import DEVELOPMENT_ADMINISTRATOR
from shared.chassis.projections.rebuild import Rebuilt, rebuild
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Command, Envelope, Refused
from shared.events.values import Money

__all__ = ["NOW", "World", "account_id", "fold_all"]

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
_BEGAN = datetime(2024, 1, 1, 8, tzinfo=UTC)
_BATCH = 500
_INDUSTRIES = ("laboratory", "chemistry", "pharma", "food", "education", "electronics")
_CHANNELS = ("web_form", "event", "referral", "email", "phone")


class _Stopped:
    """A clock that stands still, so that every run makes the same facts."""

    def now(self) -> datetime:
        return NOW


def account_id(number: int) -> str:
    """Return the id of the customer of this number."""
    return f"account-{number:06}"


def _opened(number: int) -> Iterator[tuple[str, datetime, Command]]:
    """Every customer: an account and who acts for it."""
    at = _BEGAN + timedelta(minutes=7 * number)
    yield (
        "accounts",
        at,
        OpenAccount(
            account_id=account_id(number),
            name=f"恒湾客户 {number} Instruments",
            number=f"C-{number:06}",
            phones=(f"+8621{50_000_000 + number}",),
            emails=(f"office{number}@example.com",),
            industry=_INDUSTRIES[number % 6],
            region="华东",
            channel=_CHANNELS[number % 5],
            owner_id=f"rep-{number % 40}",
        ),
    )
    yield (
        "accounts",
        at,
        AddContact(
            account_id=account_id(number),
            contact_id=f"contact-{number:06}",
            name=f"王 {number}",
            phones=(f"+8613{number:09}",),
            emails=(f"wang{number}@example.com",),
            role="buyer",
            is_primary=True,
        ),
    )


def _lived(number: int) -> Iterator[tuple[str, datetime, Command]]:
    """A customer with a whole life: lead, deal, contract, payments, invoice, tickets."""
    account, contract = account_id(number), f"contract-{number:06}"
    at = _BEGAN + timedelta(minutes=7 * number)
    day = timedelta(days=1)
    price = Decimal(1200 + number % 900)
    begins = (at + 20 * day).date()
    yield (
        "leads",
        at - 30 * day,
        ImportLead(
            lead_id=f"lead-{number:06}",
            name=f"王 {number}",
            company=f"恒湾客户 {number} Instruments",
            phones=(f"+8615{number:09}",),
            emails=(f"lead{number}@example.com",),
            channel=_CHANNELS[number % 5],
            region="华东",
            assigned_at=at - 29 * day,
            owner_id=f"rep-{number % 40}",
            qualified_at=at - 10 * day,
            conversion=ImportedConversion(at=at, account_id=account, with_opportunity=True),
        ),
    )
    for visit in range(3):
        yield (
            "accounts",
            at + visit * 7 * day,
            RecordActivity(
                account_id=account,
                activity_id=f"activity-{number:06}-{visit}",
                method="visit",
                subject="Demonstration at the customer's",
                result="They want a quote",
            ),
        )
    yield (
        "pipeline",
        at,
        ImportOpportunity(
            opportunity_id=f"opportunity-{number:06}",
            name=f"Spectrometer {number}",
            account_id=account,
            amount=Money(amount=price, currency="CNY"),
            outcome=Outcome.WON,
            opened_at=at,
            closed_at=at + 19 * day,
            owner_id=f"rep-{number % 40}",
            source="bench",
            external_id=str(number),
        ),
    )
    yield (
        "billing",
        at + 19 * day,
        ImportContract(
            contract_id=contract,
            account_id=account,
            opportunity_id=f"opportunity-{number:06}",
            title=f"Spectrometer {number}",
            starts_on=begins,
            currency="CNY",
            lines=(
                ContractLine(description="Spectrometer", unit_price=price, quantity=Decimal(3)),
                ContractLine(description="Service", unit_price=price, quantity=Decimal(1)),
            ),
            signed_at=at + 20 * day,
            activated_at=at + 20 * day,
            instalments=tuple(
                InstalmentTerms(
                    amount=Money(amount=price, currency="CNY"),
                    due_on=begins + timedelta(days=30 * part),
                )
                for part in range(4)
            ),
        ),
    )
    for part in range(3):
        yield (
            "billing",
            at + (21 + 30 * part) * day,
            ImportPayment(
                payment_id=f"payment-{number:06}-{part}",
                contract_id=contract,
                amount=Money(amount=price, currency="CNY"),
                method="bank_transfer",
                value_date=begins + timedelta(days=1 + 30 * part),
            ),
        )
    yield (
        "billing",
        at + 22 * day,
        ApplyForInvoice(invoice_id=f"invoice-{number:06}", contract_id=contract),
    )
    yield (
        "billing",
        at + 23 * day,
        IssueInvoice(invoice_id=f"invoice-{number:06}", issued_on=_day(at + 23 * day)),
    )
    for ticket in range(2):
        yield (
            "support",
            at + (40 + ticket) * day,
            ImportTicket(
                ticket_id=f"ticket-{number:06}-{ticket}",
                source="bench",
                external_id=f"{number}-{ticket}",
                channel="phone",
                subject="Does not calibrate",
                account_id=account,
                contract_id=contract,
                opened_at=at + (40 + ticket) * day,
                resolved_at=at + (41 + ticket) * day,
                closed_at=at + (44 + ticket) * day,
                sla_met=True,
            ),
        )


def _day(moment: datetime) -> date:
    return moment.date()


@dataclass
class World:
    """All services on the files of one folder."""

    services: Mapping[str, OpenService]

    @classmethod
    def open(cls, folder: Path) -> "World":
        """Open every service."""
        clock = _Stopped()
        return cls(
            {
                service.name: open_service(service, folder, clock, durable=False)
                for service in service_values()
            }
        )

    @classmethod
    def build(cls, folder: Path, customers: int, lived: int) -> "World":
        """Make a company's facts; the read models stay empty until `fold_all`.

        Args:
            folder: an empty one.
            customers: how many customers there are.
            lived: every how many'th of them has a whole life.

        Raises:
            Refused: a command of this module is no longer what its service takes.
        """
        world = cls.open(folder)
        batches: dict[str, list[Command]] = defaultdict(list)
        for number in range(customers):
            life = [*_opened(number), *(_lived(number) if number % lived == 0 else ())]
            for place, (context, at, command) in enumerate(life):
                batches[context].append(_issued(command, f"bench-{number}-{place}", at))
            for context, batch in batches.items():
                if len(batch) >= _BATCH:
                    _store(world.services[context], batch)
                    batch.clear()
        for context, batch in batches.items():
            _store(world.services[context], batch)
        return world

    @property
    def facts(self) -> int:
        """How many facts there are in all logs."""
        return sum(opened.log.tip() for opened in self.services.values())

    def close(self) -> None:
        """Close every service."""
        for opened in self.services.values():
            opened.close()


def fold_all(
    services: Mapping[str, OpenService], names: Iterable[str] | None = None
) -> list[Rebuilt]:
    """Rebuild every read model of these services, of all when None are named."""
    logs = {name: opened.log for name, opened in services.items()}
    return [
        report
        for name in names or services
        for report in rebuild(
            services[name].views_database, services[name].service.projections, logs
        )
    ]


def _issued(command: Command, command_id: str, at: datetime) -> Command:
    return command.issued(
        Envelope(
            command_id=command_id,
            actor=DEVELOPMENT_ADMINISTRATOR,
            occurred_at=at,
            recorded_at=NOW,
            correlation_id=command_id,
        )
    )


def _store(opened: OpenService, batch: Sequence[Command]) -> None:
    if opened.application is None:
        raise LookupError(f"{opened.name} takes no commands")
    for answer in opened.application.bulk(batch):
        if isinstance(answer, Refused):
            raise answer
