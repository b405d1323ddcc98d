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
        "account_list",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("legal_representative", sa.String(collation="C")),
        sa.Column("registered_capital", sa.Numeric(20, 4)),
        sa.Column("registered_capital_currency", sa.String(collation="C")),
        sa.Column("addresses", sa.JSON()),
        sa.Column("phones", sa.JSON()),
        sa.Column("fax", sa.String(collation="C")),
        sa.Column("emails", sa.JSON()),
        sa.Column("website", sa.String(collation="C")),
        sa.Column("industry", sa.String(collation="C")),
        sa.Column("nature", sa.String(collation="C")),
        sa.Column("employees", sa.BigInteger()),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("territory", sa.String(collation="C")),
        sa.Column("bank_accounts", sa.JSON()),
        sa.Column("introduction", sa.String(collation="C")),
        sa.Column("custom", sa.JSON()),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.Column("relation", sa.String(collation="C")),
        sa.Column("lifecycle", sa.String(collation="C"), nullable=False),
        sa.Column("lifecycle_since", sa.DateTime(timezone=True)),
        sa.Column("milestones", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("campaign_id", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(collation="C"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="account_list_pkey"),
    )
    op.create_index("account_list_by_lifecycle", "account_list", ["lifecycle", "opened_at"])
    op.create_index("account_list_by_name", "account_list", ["name"])
    op.create_index("account_list_by_number", "account_list", ["number"])
    op.create_index("account_list_by_opened_at", "account_list", ["opened_at", "account_id"])
    op.create_index("account_list_by_owner", "account_list", ["owner_id", "opened_at"])
    op.create_index("account_list_by_parent", "account_list", ["parent_id"])
    op.create_table(
        "account_team",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("access", sa.String(collation="C"), nullable=False),
        sa.Column("role", sa.String(collation="C")),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "employee_id", name="account_team_pkey"),
    )
    op.create_index("account_team_by_employee", "account_team", ["employee_id"])
    op.create_table(
        "activity_list",
        sa.Column("activity_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("contact_ids", sa.JSON(), nullable=False),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("companion_ids", sa.JSON(), nullable=False),
        sa.Column("method", sa.String(collation="C"), nullable=False),
        sa.Column("subject", sa.String(collation="C")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("goal", sa.String(collation="C")),
        sa.Column("preparation", sa.String(collation="C")),
        sa.Column("result", sa.String(collation="C")),
        sa.Column("outcome", sa.String(collation="C")),
        sa.Column("attitude", sa.String(collation="C")),
        sa.Column("duration_minutes", sa.BigInteger()),
        sa.Column("cost", sa.Numeric(20, 4)),
        sa.Column("cost_currency", sa.String(collation="C")),
        sa.Column("remarks", sa.String(collation="C")),
        sa.Column("attachments", sa.JSON()),
        sa.Column("follow_up_id", sa.String(collation="C")),
        sa.Column("cancelled_because", sa.String(collation="C")),
        sa.Column("recorded_by", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("activity_id", name="activity_list_pkey"),
    )
    op.create_index("activity_list_by_account", "activity_list", ["account_id", "at"])
    op.create_index("activity_list_by_employee", "activity_list", ["employee_id", "at"])
    op.create_index("activity_list_by_moment", "activity_list", ["at", "activity_id"])
    op.create_index("activity_list_by_status", "activity_list", ["status", "due_at"])
    op.create_table(
        "contact_links",
        sa.Column("contact_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("role", sa.String(collation="C")),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date()),
        sa.Column("left_on", sa.Date()),
        sa.Column("left_because", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("contact_id", "account_id", name="contact_links_pkey"),
    )
    op.create_index("contact_links_by_account", "contact_links", ["account_id"])
    op.create_table(
        "contact_list",
        sa.Column("contact_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("salutation", sa.String(collation="C")),
        sa.Column("titles", sa.JSON()),
        sa.Column("department", sa.String(collation="C")),
        sa.Column("reports_to_id", sa.String(collation="C")),
        sa.Column("assistant", sa.String(collation="C")),
        sa.Column("phones", sa.JSON()),
        sa.Column("emails", sa.JSON()),
        sa.Column("platform_ids", sa.JSON()),
        sa.Column("addresses", sa.JSON()),
        sa.Column("birthday", sa.Date()),
        sa.Column("anniversaries", sa.JSON()),
        sa.Column("education", sa.String(collation="C")),
        sa.Column("family", sa.String(collation="C")),
        sa.Column("preferences", sa.JSON()),
        sa.Column("language", sa.String(collation="C")),
        sa.Column("custom", sa.JSON()),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.String(collation="C"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", name="contact_list_pkey"),
    )
    op.create_index("contact_list_by_added_at", "contact_list", ["added_at", "contact_id"])
    op.create_index("contact_list_by_name", "contact_list", ["name"])
    op.create_index("contact_list_by_superior", "contact_list", ["reports_to_id"])
    op.create_table(
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
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
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
