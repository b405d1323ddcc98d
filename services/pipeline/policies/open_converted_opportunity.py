"""A deal is opened when a lead is converted with one."""

from services.pipeline.commands import OpenConvertedOpportunity
from shared.chassis.shapes import Reaction, whenever
from shared.events.base import Recorded
from shared.events.leads import LeadConverted

__all__ = ["open_converted_opportunity"]


@whenever(LeadConverted)
def open_converted_opportunity(recorded: Recorded[LeadConverted]) -> list[Reaction]:
    """Whenever a lead is converted with an opportunity, open exactly one."""
    converted = recorded.event
    if converted.opportunity_id is None:
        return []
    return [
        OpenConvertedOpportunity(
            opportunity_id=converted.opportunity_id,
            lead_id=recorded.stream_id,
            account_id=converted.account_id,
            contact_id=converted.contact_id,
            name=converted.opportunity_name or converted.account_name,
            process_id=converted.process_id,
            amount=converted.amount,
            product_ids=converted.product_ids,
            expected_close_on=converted.expected_close_on,
            owner_id=converted.owner_id,
            unit_id=converted.unit_id,
            region=converted.region,
            channel=converted.channel,
            campaign_id=converted.campaign_id,
            source=converted.source,
            external_id=converted.external_id,
        )
    ]
