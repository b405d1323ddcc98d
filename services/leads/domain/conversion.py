"""How a lead becomes an account with a contact and, if wanted, an opportunity."""

from collections.abc import Sequence

from services.leads.commands import ConvertLead
from services.leads.domain.refusals import ContactOfAnotherAccount
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.leads import CarriedFollowUp, LeadCaptured, LeadConverted, LeadProfileFact


def converted(
    command: ConvertLead,
    first: LeadCaptured,
    profile: LeadProfileFact,
    owner_id: str,
    unit_id: str | None,
    follow_ups: Sequence[CarriedFollowUp],
    contact_account_ids: Sequence[str] | None,
) -> LeadConverted:
    """Choose all ids and state what is opened, attached to and carried along.

    Args:
        command: what is wanted.
        first: how the lead was captured.
        profile: what is known of it now.
        owner_id: who looks after the customer.
        unit_id: their unit.
        follow_ups: what was done with the lead so far.
        contact_account_ids: the accounts an existing contact acts for.

    Raises:
        Invalid: an account or contact is to be both attached to and opened, or attached to
            without its account.
        ContactOfAnotherAccount: the existing contact does not act for the existing account.
    """
    _check_attachment(command, contact_account_ids)
    person = profile.company is None if command.is_person is None else command.is_person
    name = profile.name or profile.company
    wanted = command.opportunity
    return LeadConverted(
        account_id=(command.existing_account_id or command.account_id or command.new_id("account")),
        opens_account=command.existing_account_id is None,
        contact_id=command.existing_contact_id or command.contact_id or command.new_id("contact"),
        opens_contact=command.existing_contact_id is None,
        opportunity_id=(wanted.opportunity_id or command.new_id("opportunity") if wanted else None),
        owner_id=owner_id,
        unit_id=unit_id,
        is_person=person,
        account_name=name if person else profile.company or name,
        contact_name=name,
        title=profile.title,
        phones=profile.phones,
        emails=profile.emails,
        platform_ids=profile.platform_ids,
        address=profile.address,
        region=profile.region,
        industry=profile.industry,
        channel=first.channel,
        campaign_id=first.campaign_id,
        opportunity_name=(wanted.name or profile.company or name) if wanted else None,
        process_id=wanted.process_id if wanted else None,
        amount=(wanted.amount or profile.budget) if wanted else None,
        expected_close_on=(
            wanted.expected_close_on or profile.expected_purchase_on if wanted else None
        ),
        product_ids=(wanted.product_ids if wanted else ()) or profile.product_ids,
        need=profile.need,
        follow_ups=tuple(follow_ups) or None,
        source=first.source,
        external_id=first.external_id,
    )


def _check_attachment(command: ConvertLead, contact_account_ids: Sequence[str] | None) -> None:
    found: list[FieldViolation] = []
    if command.existing_account_id and command.account_id:
        found.append(FieldViolation("account_id", "is for a new account; one was named already"))
    if command.existing_contact_id and command.contact_id:
        found.append(FieldViolation("contact_id", "is for a new contact; one was named already"))
    if command.existing_contact_id and not command.existing_account_id:
        found.append(FieldViolation("existing_account_id", "name the contact's account"))
    if found:
        raise Invalid(found)
    if (
        command.existing_contact_id
        and contact_account_ids is not None
        and command.existing_account_id not in contact_account_ids
    ):
        raise ContactOfAnotherAccount(
            contact_id=command.existing_contact_id, account_id=command.existing_account_id
        )
