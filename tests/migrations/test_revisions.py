"""Revisions make what the code declares, from nothing, once, whoever runs them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest

from annals.installation import schema, service_names, service_values
from shared.chassis.migrations import Schema, SchemaBusy, SchemaUnfit, Standing
from tests.migrations.declared import declare
from tests.servers.found import Servers, fresh_database

pytestmark = pytest.mark.servers

CATALOGUE = """
    SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        coalesce(k.collname, ''), coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        AND NOT a.attisdropped LEFT JOIN pg_collation k ON k.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S')
    UNION ALL SELECT 'storage', relname, reloptions::text, relpersistence::text, '', '', ''
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid),
        '', '', '' FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes
    WHERE schemaname = 'public'
    UNION ALL SELECT 'function', proname, pg_get_functiondef(oid), '', '', '', '' FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'extension', extname, extversion, '', '', '', '' FROM pg_extension"""

TABLE = """\
    import sqlalchemy as sa
    from alembic import op

    revision = "0001"
    down_revision = None


    def upgrade() -> None:
        op.create_table("schema_admits", sa.Column("revision", sa.String(), primary_key=True))
        op.create_table("boats", sa.Column("name", sa.String(), primary_key=True))
"""
COLUMN = """\
    import sqlalchemy as sa
    from alembic import op

    revision = "{revision}"
    down_revision = "{before}"
    expands = {expands}


    def upgrade() -> None:
        op.add_column("boats", sa.Column("c{revision}", sa.String()))
"""


def catalogue(url: str) -> set[tuple[str, ...]]:
    """Return all there is in a database, beside the notes on its schema."""
    with psycopg.connect(url) as connection:
        return {
            row for row in connection.execute(CATALOGUE) if "schema_" not in f"{row[1]}{row[2]}"
        }


def release(folder: Path, *expanding: bool) -> Schema:
    """Return the schema of a release with a first revision and these further ones."""
    folder.mkdir(parents=True)
    (folder / "r0001.py").write_text(dedent(TABLE))
    for number, expands in enumerate(expanding, 2):
        said = {"revision": f"{number:04}", "before": f"{number - 1:04}", "expands": expands}
        (folder / f"r{number:04}.py").write_text(dedent(COLUMN).format(**said))
    return Schema("harbour", folder)


@pytest.mark.capability("PLT-15")
@pytest.mark.parametrize("name", service_names())
def test_a_migrated_database_is_what_the_code_declares(name: str, servers: Servers) -> None:
    (service,) = service_values(name)
    with fresh_database(servers.postgres) as migrated, fresh_database(servers.postgres) as code:
        schema(name).upgrade(migrated)
        declare(service, code)
        assert catalogue(migrated) == catalogue(code)
        declare(service, migrated)
        assert catalogue(migrated) == catalogue(code), "a start makes nothing that is missing"


def test_a_second_upgrade_changes_nothing(postgres_database: str) -> None:
    assert schema("workplace").upgrade(postgres_database) == ["0001"]
    before = catalogue(postgres_database)
    assert schema("workplace").upgrade(postgres_database) == []
    assert catalogue(postgres_database) == before


def test_of_several_that_upgrade_at_once_one_does(postgres_database: str) -> None:
    with ThreadPoolExecutor(4) as four:
        done = list(four.map(lambda _: schema("workplace").upgrade(postgres_database), range(4)))
    assert sorted(done) == [[], [], [], ["0001"]]


def test_the_statements_do_what_the_upgrade_does(servers: Servers) -> None:
    with fresh_database(servers.postgres) as written, fresh_database(servers.postgres) as upgraded:
        statements = schema("billing").sql(written)
        with psycopg.connect(written, autocommit=True) as connection:
            connection.execute(statements)
        schema("billing").upgrade(upgraded)
        assert catalogue(written) == catalogue(upgraded)
        schema("billing").check(written)
        assert schema("billing").sql(written) == ""


def test_a_database_without_schema_is_refused_with_the_remedy(postgres_database: str) -> None:
    with pytest.raises(SchemaUnfit, match="no schema yet; run `annals migrate leads`"):
        schema("leads").check(postgres_database)


def test_an_older_schema_is_refused_with_the_remedy(tmp_path: Path, postgres_database: str) -> None:
    release(tmp_path / "one").upgrade(postgres_database)
    newer = release(tmp_path / "two", True)
    with pytest.raises(SchemaUnfit, match="revision 0001 and this release needs 0002") as refused:
        newer.check(postgres_database)
    assert refused.value.standing is Standing.OLD
    assert newer.upgrade(postgres_database) == ["0002"]
    newer.check(postgres_database)


def test_a_release_runs_on_a_schema_that_has_only_grown(
    tmp_path: Path, postgres_database: str
) -> None:
    one, three = release(tmp_path / "one"), release(tmp_path / "three", True, True)
    one.upgrade(postgres_database)
    three.upgrade(postgres_database)
    one.check(postgres_database)
    assert one.upgrade(postgres_database) == []
    assert three.standing(postgres_database) == (Standing.FIT, "0003")


def test_a_release_stops_running_where_something_was_taken_away(
    tmp_path: Path, postgres_database: str
) -> None:
    one, two = release(tmp_path / "one"), release(tmp_path / "two", True)
    three, four = release(tmp_path / "3", True, False), release(tmp_path / "4", True, False, True)
    two.upgrade(postgres_database)
    three.upgrade(postgres_database)
    for earlier in (one, two):
        with pytest.raises(SchemaUnfit, match="does not know"):
            earlier.check(postgres_database)
        with pytest.raises(SchemaUnfit):
            earlier.upgrade(postgres_database)
    four.upgrade(postgres_database)
    three.check(postgres_database)


def test_an_upgrade_gives_way_to_a_long_transaction(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "shared.chassis.migrations.schema._LOCK_TIMEOUT", "SET lock_timeout = '50ms'"
    )
    release(tmp_path / "one").upgrade(postgres_database)
    two = release(tmp_path / "two", True)
    with psycopg.connect(postgres_database) as reader:
        reader.execute("SELECT * FROM boats")
        with pytest.raises(SchemaBusy):
            two.upgrade(postgres_database)
    assert two.standing(postgres_database) == (Standing.OLD, "0001")
    assert two.upgrade(postgres_database) == ["0002"]
