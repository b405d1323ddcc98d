"""What a conversion opened is withdrawn when the conversion is reverted."""

from services.accounts.commands import WithdrawConversion
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import ConversionReverted

__all__ = ["withdraw_reverted_conversion"]


@whenever(ConversionReverted)
def withdraw_reverted_conversion(recorded: Recorded[ConversionReverted]) -> list[Reaction]:
    """Whenever a conversion is reverted, withdraw exactly what it had opened."""
    reverted = recorded.event
    return [
        WithdrawConversion(
            lead_id=recorded.stream_id,
            account_id=reverted.account_id,
            withdraws_account=reverted.withdraws_account,
            contact_id=reverted.contact_id,
            withdraws_contact=reverted.withdraws_contact,
            follow_up_ids=reverted.follow_up_ids,
            reason=reverted.reason,
        )
    ]
