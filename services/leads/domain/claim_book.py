"""Claim books: which leads of which pools an employee holds, and how many they claimed per day."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from services.leads.domain.pool import Pool
from services.leads.domain.refusals import ClaimLimitReached, HoldingCapacityReached
from shared.events.base import Event
from shared.events.leads import HoldingEnd, HoldingEnded, HoldingStarted, HoldingWay

__all__ = ["ClaimBook", "book_id"]


def book_id(employee_id: str) -> str:
    """Return the stream of an employee's claim book."""
    return f"claim-book:{employee_id}"


@dataclass(frozen=True, kw_only=True)
class ClaimBook:
    """One employee's open leads, by pool, and the claims that count against each day for good."""

    holds: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    """Lead to the pool whose limits it counts against."""
    claims: Mapping[tuple[str | None, date], int] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def has_room(self, pool: Pool) -> bool:
        """Whether one more lead of this pool fits."""
        capacity = pool.rules.holding_capacity
        if capacity is None:
            return True
        return sum(held == pool.id for held in self.holds.values()) < capacity

    def take(
        self, employee_id: str, lead_id: str, pool: Pool, way: HoldingWay, at: datetime
    ) -> list[Event]:
        """Take in a lead.

        Raises:
            ClaimLimitReached: the day's claims from this pool are used up.
            HoldingCapacityReached: the employee holds as many open leads of it as allowed.
        """
        if lead_id in self.holds:
            return []
        day = pool.day(at)
        limit = pool.rules.claims_per_day
        if way is HoldingWay.CLAIMED and limit and self.claims.get((pool.id, day), 0) >= limit:
            raise ClaimLimitReached(limit, day.isoformat())
        if not self.has_room(pool):
            raise HoldingCapacityReached(employee_id, pool.rules.holding_capacity or 0)
        return [
            HoldingStarted(
                employee_id=employee_id, lead_id=lead_id, pool_id=pool.id, way=way, day=day
            )
        ]

    def take_back(self, employee_id: str, lead_id: str, pool: Pool, at: datetime) -> list[Event]:
        """Take in again a lead that never left the employee, whatever the limits."""
        if lead_id in self.holds:
            return []
        return [
            HoldingStarted(
                employee_id=employee_id,
                lead_id=lead_id,
                pool_id=pool.id,
                way=HoldingWay.ASSIGNED,
                day=pool.day(at),
            )
        ]

    def strike(self, employee_id: str, lead_id: str, end: HoldingEnd) -> list[Event]:
        """Strike out a lead the employee no longer holds."""
        if lead_id not in self.holds:
            return []
        return [
            HoldingEnded(
                employee_id=employee_id, lead_id=lead_id, pool_id=self.holds[lead_id], end=end
            )
        ]

    @staticmethod
    def evolve(state: "ClaimBook | None", event: Event) -> "ClaimBook | None":
        match event:
            case HoldingStarted():
                book = state or ClaimBook()
                claims = dict(book.claims)
                if event.way is HoldingWay.CLAIMED:
                    counted = (event.pool_id, event.day)
                    claims[counted] = claims.get(counted, 0) + 1
                return replace(
                    book,
                    holds=MappingProxyType({**book.holds, event.lead_id: event.pool_id}),
                    claims=MappingProxyType(claims),
                )
            case HoldingEnded() if state:
                holds = {lead: pool for lead, pool in state.holds.items() if lead != event.lead_id}
                return replace(state, holds=MappingProxyType(holds))
        return state
