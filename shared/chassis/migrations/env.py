"""What Alembic runs around the revisions of a service: one transaction each, and who may run."""

from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

from shared.chassis.migrations.schema import VERSIONS, admits


def note_admitted(ctx: MigrationContext, step: MigrationInfo, *_: Any, **__: Any) -> None:
    """Admit the programs of a revision; those of earlier ones stay only when it expands."""
    revision: Any = step.up_revision
    if not getattr(revision.module, "expands", False):
        ctx.execute(admits.delete())
    ctx.execute(admits.insert().values(revision=revision.revision))


def run() -> None:
    """Run the revisions on the connection that was given, or write them as SQL."""
    context.configure(
        connection=context.config.attributes.get("connection"),
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},  # written out, `%` means itself
        version_table=VERSIONS,
        transaction_per_migration=True,
        on_version_apply=note_admitted,
        literal_binds=context.is_offline_mode(),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
