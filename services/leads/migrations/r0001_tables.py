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
        "customer_addresses",
        sa.Column("address", sa.String(collation="C"), nullable=False),
        sa.Column("party_ids", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("address", name="customer_addresses_pkey"),
    )
    op.create_table(
        "customer_payments",
        sa.Column("payment_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("reversed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", name="customer_payments_pkey"),
    )
    op.create_index("ix_customer_payments_account_id", "customer_payments", ["account_id"])
    op.create_index("ix_customer_payments_lead_id", "customer_payments", ["lead_id"])
    op.create_index("ix_customer_payments_opportunity_id", "customer_payments", ["opportunity_id"])
    op.create_table(
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
    op.create_table(
        "follow_ups",
        sa.Column("follow_up_id", sa.String(collation="C"), nullable=False),
        sa.Column("lead_id", sa.String(collation="C"), nullable=False),
        sa.Column("state", sa.String(collation="C"), nullable=False),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("method", sa.String(collation="C")),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("content", sa.Text(collation="C")),
        sa.Column("outcome", sa.String(collation="C")),
        sa.Column("attitude", sa.String(collation="C")),
        sa.Column("duration_minutes", sa.BigInteger()),
        sa.Column("cost_amount", sa.Numeric(20, 4)),
        sa.Column("cost_currency", sa.String(collation="C")),
        sa.Column("attachments", sa.JSON()),
        sa.Column("plan_id", sa.String(collation="C")),
        sa.Column("after_id", sa.String(collation="C")),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("next_step", sa.Text(collation="C")),
        sa.Column("fulfilled_by", sa.String(collation="C")),
        sa.Column("cancelled_because", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("follow_up_id", name="follow_ups_pkey"),
    )
    op.create_index("ix_follow_ups_at", "follow_ups", ["at"])
    op.create_index("ix_follow_ups_due_at", "follow_ups", ["due_at"])
    op.create_index("ix_follow_ups_employee_id", "follow_ups", ["employee_id"])
    op.create_index("ix_follow_ups_lead_id", "follow_ups", ["lead_id"])
    op.create_table(
        "holdings",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("lead_id", sa.String(collation="C"), nullable=False),
        sa.Column("pool_id", sa.String(collation="C")),
        sa.Column("way", sa.String(collation="C"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", "lead_id", name="holdings_pkey"),
    )
    op.create_index("ix_holdings_pool_id", "holdings", ["pool_id"])
    op.create_table(
        "known_customers",
        sa.Column("party_id", sa.String(collation="C"), nullable=False),
        sa.Column("is_account", sa.Boolean(), nullable=False),
        sa.Column("account_ids", sa.JSON(), nullable=False),
        sa.Column("phones", sa.JSON(), nullable=False),
        sa.Column("emails", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", name="known_customers_pkey"),
    )
    op.create_table(
        "leads",
        sa.Column("lead_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("company", sa.String(collation="C")),
        sa.Column("title", sa.String(collation="C")),
        sa.Column("phones", sa.JSON()),
        sa.Column("emails", sa.JSON()),
        sa.Column("platform_ids", sa.JSON()),
        sa.Column("address", sa.JSON()),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("industry", sa.String(collation="C")),
        sa.Column("expected_scale", sa.String(collation="C")),
        sa.Column("demand_level", sa.String(collation="C")),
        sa.Column("budget_amount", sa.Numeric(20, 4)),
        sa.Column("budget_currency", sa.String(collation="C")),
        sa.Column("win_probability", sa.BigInteger()),
        sa.Column("expected_purchase_on", sa.Date()),
        sa.Column("need", sa.Text(collation="C")),
        sa.Column("product_ids", sa.JSON()),
        sa.Column("custom", sa.JSON()),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("campaign_id", sa.String(collation="C")),
        sa.Column("landing_page", sa.String(collation="C")),
        sa.Column("utm", sa.JSON()),
        sa.Column("referrer", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("pool_id", sa.String(collation="C")),
        sa.Column("statements", sa.BigInteger(), nullable=False),
        sa.Column("suspected_lead_ids", sa.JSON()),
        sa.Column("suspected_account_ids", sa.JSON()),
        sa.Column("score", sa.BigInteger()),
        sa.Column("grade", sa.String(collation="C")),
        sa.Column("score_parts", sa.JSON()),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.Column("assigned_at", sa.DateTime(timezone=True)),
        sa.Column("follow_ups", sa.BigInteger(), nullable=False),
        sa.Column("last_follow_up_at", sa.DateTime(timezone=True)),
        sa.Column("protected_until", sa.DateTime(timezone=True)),
        sa.Column("recycle_at", sa.DateTime(timezone=True)),
        sa.Column("qualified_at", sa.DateTime(timezone=True)),
        sa.Column("nurture_until", sa.Date()),
        sa.Column("disqualified_because", sa.String(collation="C")),
        sa.Column("converted_at", sa.DateTime(timezone=True)),
        sa.Column("status_before", sa.String(collation="C")),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("lead_id", name="leads_pkey"),
    )
    op.create_index("ix_leads_changed_at", "leads", ["changed_at"])
    op.create_index("ix_leads_owner_id", "leads", ["owner_id"])
    op.create_index("ix_leads_pool_id", "leads", ["pool_id"])
    op.create_index("ix_leads_status", "leads", ["status"])
    op.create_index("leads_by_captured_at", "leads", ["captured_at", "lead_id"])
    op.create_table(
        "pools",
        sa.Column("pool_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("admin_ids", sa.JSON(), nullable=False),
        sa.Column("hidden_fields", sa.JSON(), nullable=False),
        sa.Column("rules_version", sa.BigInteger(), nullable=False),
        sa.Column("claims_per_day", sa.BigInteger()),
        sa.Column("holding_capacity", sa.BigInteger()),
        sa.Column("cool_down_hours", sa.BigInteger()),
        sa.Column("protection_hours", sa.BigInteger()),
        sa.Column("recycle_after_days", sa.BigInteger()),
        sa.Column("warn_before_days", sa.BigInteger()),
        sa.Column("time_zone", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("pool_id", name="pools_pkey"),
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
        "rules_in_force",
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("grades", sa.JSON()),
        sa.PrimaryKeyConstraint("name", name="rules_in_force_pkey"),
    )
    op.create_table(
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
