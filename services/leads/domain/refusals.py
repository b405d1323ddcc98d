"""The rules that leads keep, each named as what was broken."""

from datetime import datetime
from typing import Any

from shared.chassis.shapes import BrokenRule, LimitReached, Taken

__all__ = [
    "AlreadyCustomer",
    "ClaimLimitReached",
    "ContactOfAnotherAccount",
    "DuplicateLead",
    "HoldingCapacityReached",
    "LeadHasNoOwner",
    "LeadHasOwner",
    "LeadIsInNoPool",
    "LeadIsNotConverted",
    "LeadIsOpen",
    "LeadIsProtected",
    "LeadIsSettled",
    "LeadWaitsInPool",
    "MoneyHasMoved",
    "NoPoolToReturnTo",
    "NotTheOwner",
    "NotThePoolsMember",
    "PreviousOwnerCoolsDown",
]


class LeadIsSettled(BrokenRule):
    """A converted or disqualified lead must be reverted or reopened first."""

    def __init__(self, status: str) -> None:
        super().__init__(
            f"the lead is {status}; "
            + ("revert the conversion first" if status == "converted" else "reopen it first"),
            status=status,
        )


class LeadIsOpen(BrokenRule):
    """Only a nurtured or disqualified lead can be reopened."""


class LeadIsNotConverted(BrokenRule):
    """There is no conversion to revert."""


class LeadHasNoOwner(BrokenRule):
    """Somebody must claim the lead or be assigned to it first."""


class LeadHasOwner(BrokenRule):
    """Somebody else has the lead."""

    def __init__(self, owner_id: str) -> None:
        super().__init__(f"{owner_id} has the lead", owner_id=owner_id)


class LeadIsInNoPool(BrokenRule):
    """Only a lead in a pool can be claimed; this one has to be assigned."""


class LeadIsProtected(BrokenRule):
    """New leads of the pool may not be claimed yet."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"the lead is protected until {until.isoformat()}", until=until.isoformat()
        )


class PreviousOwnerCoolsDown(BrokenRule):
    """Whoever gave the lead back may not claim it again at once."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"you had the lead last and may claim it again from {until.isoformat()}",
            until=until.isoformat(),
        )


class LeadWaitsInPool(BrokenRule):
    """Whoever settles a lead claims it first, unless they administer its pool."""

    def __init__(self, pool_id: str) -> None:
        super().__init__(f"the lead waits in {pool_id}; claim it first", pool_id=pool_id)


class NotTheOwner(BrokenRule):
    """Only the owner or an administrator of the pool can give the lead back."""


class NotThePoolsMember(BrokenRule):
    """Only members of the pool may claim from it."""


class NoPoolToReturnTo(BrokenRule):
    """The lead came from no pool: name the pool it shall go to."""


class ClaimLimitReached(LimitReached):
    """The day's claims are used up; giving leads back does not refund them."""

    def __init__(self, limit: int, day: str) -> None:
        super().__init__(
            f"your {limit} claims from this pool for {day} are used up", limit=limit, day=day
        )


class HoldingCapacityReached(LimitReached):
    """One person may hold only so many open leads of a pool."""

    def __init__(self, employee_id: str, limit: int) -> None:
        super().__init__(
            f"{employee_id} holds {limit} open leads of this pool, which is the limit",
            employee_id=employee_id,
            limit=limit,
        )


class DuplicateLead(Taken):
    """The duplicate rules recognise a known lead."""

    def __init__(self, lead_id: str, rules: str, rule: str, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"lead {lead_id} has the same {' and '.join(fields)}",
            holder=lead_id,
            kind="lead",
            rules=rules,
            duplicate_rule=rule,
            fields=list(fields),
        )


class AlreadyCustomer(Taken):
    """The duplicate rules recognise a customer."""

    def __init__(self, account_id: str, rules: str, **details: Any) -> None:
        super().__init__(
            f"this is account {account_id} already",
            holder=account_id,
            kind="account",
            rules=rules,
            **details,
        )


class ContactOfAnotherAccount(BrokenRule):
    """The contact does not act for the account the lead is to be attached to."""


class MoneyHasMoved(BrokenRule):
    """A conversion cannot be reverted once its customer has paid."""
