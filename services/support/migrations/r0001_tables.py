"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from shared.chassis.migrations.first import create_chassis, create_deadlines

revision = "0001"
down_revision = None
expands = False


def upgrade() -> None:
    create_chassis()
    create_deadlines()
    op.create_table(
        "business_calendars",
        sa.Column("calendar_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("time_zone", sa.String(collation="C"), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("holidays", sa.JSON(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("calendar_id", name="business_calendars_pkey"),
    )
    op.create_index("ix_business_calendars_name", "business_calendars", ["name"])
    op.create_table(
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
    op.create_table(
        "entitlements",
        sa.Column("contract_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("sla_policy_id", sa.String(collation="C"), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date()),
        sa.Column("time_zone", sa.String(collation="C"), nullable=False),
        sa.Column("ended_because", sa.String(collation="C")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contract_id", name="entitlements_pkey"),
    )
    op.create_index("ix_entitlements_account_id", "entitlements", ["account_id"])
    op.create_table(
        "role_rights",
        sa.Column("role", sa.String(collation="C"), nullable=False),
        sa.Column("patterns", sa.JSON(), nullable=False),
        sa.Column("scope", sa.String(collation="C"), nullable=False),
        sa.Column("unit_ids", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("role", name="role_rights_pkey"),
    )
    op.create_table(
        "sla_policies",
        sa.Column("sla_policy_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("calendar_id", sa.String(collation="C"), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("at_risk_percent", sa.BigInteger(), nullable=False),
        sa.Column("reopen_within_days", sa.BigInteger(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sla_policy_id", name="sla_policies_pkey"),
    )
    op.create_index("ix_sla_policies_name", "sla_policies", ["name"])
    op.create_table(
        "surveys",
        sa.Column("survey_id", sa.String(collation="C"), nullable=False),
        sa.Column("ticket_id", sa.String(collation="C")),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("score", sa.BigInteger()),
        sa.Column("is_low", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(collation="C")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("survey_id", name="surveys_pkey"),
    )
    op.create_index("ix_surveys_account_id", "surveys", ["account_id"])
    op.create_index("ix_surveys_sent_at", "surveys", ["sent_at"])
    op.create_index("ix_surveys_ticket_id", "surveys", ["ticket_id"])
    op.create_table(
        "ticket_messages",
        sa.Column("ticket_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(collation="C"), nullable=False),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("is_first_response", sa.Boolean(), nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(collation="C")),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "version", name="ticket_messages_pkey"),
    )
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.String(collation="C"), nullable=False),
        sa.Column("number", sa.String(collation="C"), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("priority", sa.String(collation="C"), nullable=False),
        sa.Column("channel", sa.String(collation="C"), nullable=False),
        sa.Column("category", sa.String(collation="C")),
        sa.Column("subcategory", sa.String(collation="C")),
        sa.Column("product_id", sa.String(collation="C")),
        sa.Column("subject", sa.Text(collation="C")),
        sa.Column("description", sa.Text(collation="C")),
        sa.Column("requester", sa.Text(collation="C")),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.Column("into_id", sa.String(collation="C")),
        sa.Column("split_from_id", sa.String(collation="C")),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("watchers", sa.JSON(), nullable=False),
        sa.Column("entitlement_id", sa.String(collation="C")),
        sa.Column("sla_policy_id", sa.String(collation="C")),
        sa.Column("sla_version", sa.BigInteger()),
        sa.Column("response_due_at", sa.DateTime(timezone=True)),
        sa.Column("response_sla", sa.String(collation="C")),
        sa.Column("resolution_due_at", sa.DateTime(timezone=True)),
        sa.Column("resolution_sla", sa.String(collation="C")),
        sa.Column("is_at_risk", sa.Boolean(), nullable=False),
        sa.Column("is_breached", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("waiting_since", sa.DateTime(timezone=True)),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("reopen_until", sa.DateTime(timezone=True)),
        sa.Column("reopened", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.String(collation="C")),
        sa.Column("resolution", sa.Text(collation="C")),
        sa.Column("rating", sa.BigInteger()),
        sa.Column("rating_comment", sa.Text(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name="tickets_pkey"),
    )
    op.create_index("tickets_by_account", "tickets", ["account_id", "opened_at"])
    op.create_index("tickets_by_employee", "tickets", ["employee_id", "status"])
    op.create_index("tickets_by_number", "tickets", ["number"])
    op.create_index("tickets_by_opening", "tickets", ["opened_at", "ticket_id"])
    op.create_index("tickets_by_status", "tickets", ["status", "opened_at"])
    op.create_table(
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
