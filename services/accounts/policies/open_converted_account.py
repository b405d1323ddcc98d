"""An account is opened when a lead is converted."""

from services.accounts.commands import CarriedActivity, OpenConvertedAccount
from shared.chassis.shapes import Reaction, derived, whenever
from shared.events.accounts import AccountKind
from shared.events.base import Recorded
from shared.events.leads import LeadConverted

__all__ = ["open_converted_account"]


@whenever(LeadConverted)
def open_converted_account(recorded: Recorded[LeadConverted]) -> list[Reaction]:
    """Whenever a lead is converted, open what it opens and carry its follow-ups along."""
    converted = recorded.event
    return [
        OpenConvertedAccount(
            lead_id=recorded.stream_id,
            account_id=converted.account_id,
            opens_account=converted.opens_account,
            contact_id=converted.contact_id,
            opens_contact=converted.opens_contact,
            opportunity_id=converted.opportunity_id,
            owner_id=converted.owner_id,
            unit_id=converted.unit_id,
            kind=AccountKind.PERSON if converted.is_person else AccountKind.ORGANISATION,
            account_name=converted.account_name,
            contact_name=converted.contact_name,
            title=converted.title,
            phones=converted.phones,
            emails=converted.emails,
            platform_ids=converted.platform_ids,
            address=converted.address,
            region=converted.region,
            industry=converted.industry,
            channel=converted.channel,
            campaign_id=converted.campaign_id,
            need=converted.need,
            activities=tuple(
                CarriedActivity(
                    activity_id=derived(recorded, follow_up.follow_up_id), follow_up=follow_up
                )
                for follow_up in converted.follow_ups or ()
            ),
            source=converted.source,
            external_id=converted.external_id,
        )
    ]
