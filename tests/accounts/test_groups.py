from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from services.accounts.commands import OpenAccount, SetAccountParent
from services.accounts.domain.account import GroupsHaveNoCycles
from services.accounts.service import SERVICE
from shared.chassis.service import open_service
from shared.chassis.shapes import Command, Refused
from shared.chassis.testing import issue


@pytest.mark.capability("ACC-02")
def test_two_accounts_placed_below_each_other_at_once_make_no_cycle(tmp_path: Path) -> None:
    service = open_service(SERVICE, tmp_path, durable=False)
    application = service.application
    assert application is not None
    start = Barrier(2)

    def race(command: Command) -> type[Refused] | None:
        start.wait()
        try:
            application.handle(command)
        except Refused as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(2) as threads:
        for number in range(20):
            one, other = f"one-{number}", f"other-{number}"
            for account_id in (one, other):
                application.handle(issue(OpenAccount(account_id=account_id, name=account_id)))
            wishes = [
                issue(SetAccountParent(account_id=one, parent_id=other)),
                issue(SetAccountParent(account_id=other, parent_id=one)),
            ]
            assert sorted(map(str, threads.map(race, wishes))) == sorted(
                map(str, [None, GroupsHaveNoCycles])
            )
    service.close()
