"""All services in memory, without a broker, and a short life to look at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from annals.installation import service_values
from services.leads.commands import (
    AssignLead,
    CaptureLead,
    ConvertLead,
    PlanFollowUp,
    QualifyLead,
    RecordFollowUp,
)
from shared.chassis.database import Database
from shared.chassis.messaging.delivery import Delivery, pull_from, settle
from shared.chassis.service import OpenService, open_service
from shared.chassis.shapes import Answer, Command, Query
from shared.chassis.testing import NOON, TESTER, issue

__all__ = ["DAY", "Company", "company", "converted_lead"]

DAY = timedelta(days=1)


class HandClock:
    """Stands still until it is turned."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment it was turned to."""
        return self.moment


@dataclass
class Company:
    """Every service of the distribution, opened in memory on one clock."""

    services: dict[str, OpenService]
    deliveries: list[Delivery]
    clock: HandClock

    def do(self, context: str, command: Command, at: datetime | None = None) -> Answer:
        """Carry out a command at a moment, now if none is given."""
        if at is not None:
            self.clock.moment = max(self.clock.moment, at)
        application = self.services[context].application
        assert application is not None
        return application.handle(issue(command, at=at or self.clock.moment))

    def close(self) -> None:
        """Close every database."""
        for delivery in self.deliveries:
            delivery.close()
        for opened in self.services.values():
            opened.close()

    def settle(self, at: datetime | None = None) -> None:
        """Turn the clock and deliver everything."""
        if at is not None:
            self.clock.moment = at
        settle(self.deliveries)

    def ask(self, query: Query, context: str = "analytics") -> Any:
        """Ask a service."""
        opened = self.services[context]
        return opened.ask(opened.service.asked[type(query).__name__], query, TESTER)


def company(database: Callable[[], Database | None] = lambda: None) -> Company:
    """Open every service, in memory or each on the next of these empty databases."""
    clock = HandClock(NOON)
    services = {s.name: open_service(s, clock=clock, database=database()) for s in service_values()}
    pull = pull_from(list(services.values()))
    deliveries = [Delivery(opened, pull, pause=lambda _: None) for opened in services.values()]
    return Company(services, deliveries, clock)


def converted_lead(firm: Company, phone: str = "+8613900000001") -> tuple[str, str]:
    """Let a lead be captured, worked and converted over four days; return lead and account ids."""
    lead_id = firm.do(
        "leads",
        CaptureLead(name="王芳", company="晨光贸易", phones=(phone,), channel="web_form"),
        NOON,
    ).id
    firm.settle()
    firm.do("leads", AssignLead(lead_id=lead_id, owner_id="mei"), NOON + DAY)
    firm.do(
        "leads",
        RecordFollowUp(lead_id=lead_id, method="call", content="想要报价"),
        NOON + 2 * DAY,
    )
    firm.do(
        "leads",
        PlanFollowUp(lead_id=lead_id, next_step="发送报价", due_at=NOON + 9 * DAY),
        NOON + 2 * DAY,
    )
    firm.do("leads", QualifyLead(lead_id=lead_id), NOON + 3 * DAY)
    answer = firm.do("leads", ConvertLead(lead_id=lead_id), NOON + 4 * DAY)
    firm.settle(NOON + 4 * DAY + timedelta(seconds=1))
    return lead_id, answer.outcome["account_id"]
