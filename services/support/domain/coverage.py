"""Coverage: what service a customer's contracts entitle to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from services.support.commands import EndEntitlement, GrantEntitlement
from shared.events.base import Event
from shared.events.support import EntitlementEnded, EntitlementGranted
from shared.events.values import ContractId, SlaPolicyId

__all__ = ["Coverage"]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The entitlements of one customer, each going by the contract it comes from."""

    entitlements: Mapping[ContractId, EntitlementGranted] = field(default_factory=dict)

    def grant(self, command: GrantEntitlement, sla_policy_id: SlaPolicyId) -> list[Event]:
        """Entitle under a contract, or restate what it entitles to."""
        granted = EntitlementGranted(
            account_id=command.account_id,
            contract_id=command.contract_id,
            sla_policy_id=sla_policy_id,
            starts_on=command.starts_on,
            ends_on=command.ends_on,
            time_zone=command.time_zone,
        )
        return [] if self.entitlements.get(command.contract_id) == granted else [granted]

    def end(self, command: EndEntitlement) -> list[Event]:
        """End what a contract entitled to."""
        if command.contract_id not in self.entitlements:
            return []
        return [EntitlementEnded(**command.model_dump())]

    def at(self, moment: datetime, contract_id: ContractId | None) -> EntitlementGranted | None:
        """Return what holds at a moment: under the contract when one is named, else the latest."""
        valid = [granted for granted in self.entitlements.values() if _holds(granted, moment)]
        named = [granted for granted in valid if granted.contract_id == contract_id]
        return next(iter(named or sorted(valid, key=lambda g: g.starts_on, reverse=True)), None)

    @staticmethod
    def evolve(state: "Coverage | None", event: Event) -> "Coverage | None":
        match event:
            case EntitlementGranted(contract_id=str(contract_id)):
                known = state or Coverage()
                return replace(known, entitlements={**known.entitlements, contract_id: event})
            case EntitlementEnded() if state is not None:
                left = {c: g for c, g in state.entitlements.items() if c != event.contract_id}
                return replace(state, entitlements=left)
        return state


def _holds(granted: EntitlementGranted, moment: datetime) -> bool:
    day = moment.astimezone(ZoneInfo(granted.time_zone)).date()
    return granted.starts_on <= day and (granted.ends_on is None or day <= granted.ends_on)
