"""Each service's role owns one database and is let into no other."""

import subprocess

import psycopg
import pytest

from annals.installation import schema
from annals.provisioning import provisioning
from tests.servers.private import PrivatePostgres

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.capability("PLT-15")]


def provision(server: PrivatePostgres, *services: str, password: str = "") -> None:
    """Run the script as an operator does."""
    subprocess.run(
        [str(server.binaries / "psql"), "--quiet", "--no-psqlrc", server.url],
        input=provisioning(services),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"ANNALS_DATABASE_PASSWORD": password} if password else {},
    )


def url(server: PrivatePostgres, role: str, database: str) -> str:
    """Return the URL with which a service's role opens a service's database."""
    return f"postgresql://annals_{role}@127.0.0.1:{server.port}/annals_{database}"


def test_a_role_cannot_connect_to_another_services_database(
    private_postgres: PrivatePostgres,
) -> None:
    provision(private_postgres, "leads", "billing")
    for name in ("leads", "billing"):
        schema(name).upgrade(url(private_postgres, name, name))
        schema(name).check(url(private_postgres, name, name))
    for role, database in (("leads", "billing"), ("billing", "leads")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url(private_postgres, role, database))
    with psycopg.connect(url(private_postgres, "leads", "leads")) as connection:
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'events'")
        assert owner.fetchone() == ("annals_leads",)
        rights = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert rights.fetchone() == (False, False, False)


def test_the_script_may_run_again_and_sets_the_password(private_postgres: PrivatePostgres) -> None:
    provision(private_postgres, "leads")
    provision(private_postgres, "leads", "support", password="o'hara")
    with psycopg.connect(private_postgres.url) as connection:
        found = connection.execute(
            "SELECT datname, datcollate FROM pg_database WHERE datname LIKE 'annals%' ORDER BY 1"
        )
        assert {("annals_leads", "C"), ("annals_support", "C")} <= set(found.fetchall())
        kept = connection.execute(
            "SELECT rolpassword LIKE 'SCRAM%' FROM pg_authid WHERE rolname = 'annals_leads'"
        )
        assert kept.fetchone() == (True,)
