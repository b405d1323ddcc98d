"""Drafts the revisions that are missing: `python -m tests.migrations.draft [--first] [NAME]...`.

It compares what a service's revisions make with what its code declares, in two empty databases,
and writes the next revision; with `--first` it writes the first one anew, which only fits as long
as no database was ever migrated. Read what it writes: it does not know of renamed columns, says of
none that it only adds (`expands`), and leaves functions and data alone.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table

from annals.installation import schema, service_values
from shared.chassis.migrations.schema import VERSIONS, admits
from shared.chassis.service import Service
from tests.migrations.declared import connected, declare
from tests.servers.found import found, fresh_database

__all__ = ["draft"]

_FIRST = "shared.chassis.migrations.first"
_OWN = {VERSIONS, admits.name}
_FORMS = (
    (r"#.*", ""),
    (r"\b(?:sa|postgresql)\.VARCHAR\(", "sa.String("),
    (r"\b(?:sa|postgresql)\.TEXT\(", "sa.Text("),
    (r"\b(?:sa|postgresql)\.BIGINT\(", "sa.BigInteger("),
    (r"\b(?:sa|postgresql)\.INTEGER\(", "sa.Integer("),
    (r"\b(?:sa|postgresql)\.BOOLEAN\(", "sa.Boolean("),
    (r"\b(?:sa|postgresql)\.DATE\(", "sa.Date("),
    (r"\bpostgresql\.BYTEA\(", "sa.LargeBinary("),
    (r"\bpostgresql\.(JSONB?)\(astext_type=(?:sa\.)?Text\(\)\)", r"postgresql.\1()"),
    (r"\bpostgresql\.JSON\(\)", "sa.JSON()"),
    (r"\b(?:sa|postgresql)\.TIMESTAMP\(", "sa.DateTime("),
    (r"NUMERIC\(precision=(\d+), scale=(\d+)\)", r"Numeric(\1, \2)"),
    (r", autoincrement=False|, nullable=True|, unique=False|, postgresql_include=\[\]", ""),
    (r"sa\.PrimaryKeyConstraint\((.*?), name=op\.f\(.*?\)\)", r"sa.PrimaryKeyConstraint(\1)"),
    (r"op\.f\(('.*?')\)", r"\1"),
)  # fmt: skip
_FILE = '''"""{title}"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

{imports}
revision = "{revision}"
down_revision = {before}
expands = False


def upgrade() -> None:
{body}
'''


def draft(service: Service, server: str, *, first: bool = False) -> Path | None:
    """Write a service's next revision, or its first anew.

    Args:
        service: whose.
        server: URL of a PostgreSQL on which databases may be made.
        first: replace all revisions there are.

    Returns:
        The file; None when nothing is missing.
    """
    revisions = schema(service.name)
    folder = revisions.folder
    folder.mkdir(exist_ok=True)
    if first:
        for file in folder.glob("r[0-9]*.py"):
            file.unlink()
        (folder / "__init__.py").touch()
    before = None if first else revisions.head
    with fresh_database(server) as code, fresh_database(server) as migrated:
        declare(service, code)
        if not first:
            revisions.upgrade(migrated)
        body = _difference(code, migrated, first=first)
    if not body:
        return None
    calls = []
    if first:
        calls = ["create_chassis", *(["create_deadlines"] if service.policies else [])]
    lines = [f"    {call}()" for call in calls] + [body]
    revision = f"{int(before or 0) + 1:04}"
    file = folder / f"r{revision}_{'tables' if first else 'draft'}.py"
    file.write_text(
        _FILE.format(
            title="The tables of the first release." if first else "Say what changes, and why.",
            imports=f"from {_FIRST} import {', '.join(calls)}\n" if calls else "",
            revision=revision,
            before=f'"{before}"' if before else None,
            body="\n".join(lines),
        )
    )
    for rules in (["check", "--quiet", "--fix", "--select=F401,I001,Q000"], ["format", "--quiet"]):
        subprocess.run([Path(sys.executable).with_name("ruff"), *rules, file], check=True)
    return file


def _difference(code: str, migrated: str, *, first: bool) -> str:
    """Return the statements that are missing in the migrated database."""
    with connected(code) as declared, connected(migrated) as connection:
        wanted = MetaData()
        wanted.reflect(declared)
        for table in list(wanted.tables.values()):
            if first and _of_chassis(table):
                wanted.remove(table)
        context = MigrationContext.configure(
            connection,
            opts={
                "target_metadata": wanted,
                "compare_server_default": True,
                "include_object": lambda _object, name, kind, *_: (
                    kind != "table" or name not in _OWN
                ),
            },
        )
        upgrade = produce_migrations(context, wanted).upgrade_ops
        text = render_python_code(upgrade) if upgrade and upgrade.ops else ""
    for form, house in _FORMS:
        text = re.sub(form, house, text)
    return "\n".join(line for line in text.splitlines() if line.strip())


def _of_chassis(table: Table) -> bool:
    return table.name in {
        "answers", "claims", "deadlines", "events", "parked", "relayed", "subject_keys", "tracking",
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    """Draft for the named services, or for all."""
    names = [name for name in arguments if name != "--first"]
    with found(os.environ) as servers:
        for service in service_values(*names):
            written = draft(service, servers.postgres, first="--first" in arguments)
            print(f"{service.name}: {written or 'nothing is missing'}")  # noqa: T201 - a tool


if __name__ == "__main__":
    main(sys.argv[1:])
