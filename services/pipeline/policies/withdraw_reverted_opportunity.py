"""The deal a conversion opened is withdrawn when the conversion is reverted."""

from services.pipeline.commands import WithdrawOpportunity
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import ConversionReverted

__all__ = ["withdraw_reverted_opportunity"]


@whenever(ConversionReverted)
def withdraw_reverted_opportunity(recorded: Recorded[ConversionReverted]) -> list[Reaction]:
    """Whenever a conversion is reverted, withdraw the opportunity it had opened."""
    opportunity_id = recorded.event.opportunity_id
    if opportunity_id is None:
        return []
    return [
        WithdrawOpportunity(
            opportunity_id=opportunity_id,
            lead_id=recorded.stream_id,
            reason=recorded.event.reason,
        )
    ]
