"""Accounts: load, decide, record."""

from collections.abc import Iterator

from services.accounts.commands import (
    AddContact,
    AddTeamMember,
    AssignAccountOwner,
    CancelActivity,
    ChangeAccount,
    ChangeContact,
    CompleteActivity,
    CountDeal,
    ExpireTeamMember,
    LinkContact,
    OpenAccount,
    OpenConvertedAccount,
    PlanActivity,
    ReachMilestone,
    RecordActivity,
    RecordContactLeft,
    RemoveTeamMember,
    ReplanActivity,
    ReviewLifecycle,
    SetAccountParent,
    TagAccount,
    UncountDeal,
    UntagAccount,
    WithdrawConversion,
)
from services.accounts.domain.account import Account
from services.accounts.domain.activity import Activity
from services.accounts.domain.contact import Contact
from services.accounts.domain.customer_deals import CustomerDeals
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, fold
from shared.events.base import Event

__all__ = ["AccountsApplication"]


class AccountsApplication(Application):
    """The commands of accounts, contacts and activities."""

    context = "accounts"

    def open_account(self, command: OpenAccount) -> Answer:
        account_id = command.account_id or command.new_id("account")

        def decide(work: Work) -> str:
            if command.parent_id is not None:
                work.load(Account, command.parent_id).must_be_in_the_books()
            _claim_external(work, "account", command.source, command.external_id, account_id)
            if command.number is not None:
                work.claim("account_number", command.number, account_id)
            work.record(account_id, _with_deals(work, account_id, Account.open(command)))
            return account_id

        return self.commit(command, decide)

    def change_account(self, command: ChangeAccount) -> Answer:
        def decide(work: Work) -> str:
            account = work.load(Account, command.account_id)
            events = account.change(command)
            work.record(command.account_id, events)
            before, after = account.profile["number"], _number(work, command.account_id)
            if before != after and before is not None:
                work.release("account_number", before)
            if before != after and after is not None:
                work.claim("account_number", after, command.account_id)
            return command.account_id

        return self.commit(command, decide)

    def set_account_parent(self, command: SetAccountParent) -> Answer:
        def decide(work: Work) -> str:
            _look_whose_turn(work)
            account = work.load(Account, command.account_id)
            ancestors = list(_ancestors(work, command.parent_id))
            events = account.set_parent(command, ancestors)
            work.record(command.account_id, events)
            if events:
                _take_turn(work, f"{command.account_id}@{work.version(command.account_id)}")
            return command.account_id

        return self.commit(command, decide)

    def assign_account_owner(self, command: AssignAccountOwner) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.assign_owner(command), command
        )

    def add_team_member(self, command: AddTeamMember) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.add_member(command), command
        )

    def remove_team_member(self, command: RemoveTeamMember) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.remove_member(command), command
        )

    def expire_team_member(self, command: ExpireTeamMember) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.expire_member(command), command
        )

    def tag_account(self, command: TagAccount) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.tag(command), command
        )

    def untag_account(self, command: UntagAccount) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.untag(command), command
        )

    def reach_milestone(self, command: ReachMilestone) -> Answer:
        return self.change(
            Account, command.account_id, lambda account: account.reach(command), command
        )

    def count_deal(self, command: CountDeal) -> Answer:
        def decide(work: Work) -> str:
            stream_id = CustomerDeals.stream_of(command.account_id)
            deals = work.find(CustomerDeals, stream_id) or CustomerDeals()
            work.record(stream_id, deals.count(command))
            _follow_deals(work, command.account_id)
            return command.account_id

        return self.commit(command, decide)

    def uncount_deal(self, command: UncountDeal) -> Answer:
        def decide(work: Work) -> str:
            stream_id = CustomerDeals.stream_of(command.account_id)
            deals = work.find(CustomerDeals, stream_id) or CustomerDeals()
            work.record(stream_id, deals.uncount(command))
            _follow_deals(work, command.account_id)
            return command.account_id

        return self.commit(command, decide)

    def review_lifecycle(self, command: ReviewLifecycle) -> Answer:
        def decide(work: Work) -> str:
            _follow_deals(work, command.account_id)
            return command.account_id

        return self.commit(command, decide)

    def open_converted_account(self, command: OpenConvertedAccount) -> Answer:
        def decide(work: Work) -> str:
            if command.opens_account:
                opened = Account.open_converted(command)
                work.record(command.account_id, _with_deals(work, command.account_id, opened))
            if command.contact_id is not None and command.opens_contact:
                work.record(command.contact_id, Contact.add_converted(command))
            for carried in command.activities:
                travelled = _travelled(command.lead_id, carried.follow_up.follow_up_id)
                work.claim(*travelled, carried.activity_id)
                work.record(
                    carried.activity_id, Activity.carry(command, carried), at=carried.follow_up.at
                )
            return command.account_id

        return self.commit(command, decide)

    def withdraw_conversion(self, command: WithdrawConversion) -> Answer:
        def decide(work: Work) -> str:
            if command.withdraws_account and (account := work.find(Account, command.account_id)):
                events = account.withdraw(command)
                work.record(command.account_id, events)
                if events and (number := account.profile["number"]) is not None:
                    work.release("account_number", number)
            contact_id = command.contact_id if command.withdraws_contact else None
            if contact_id and (contact := work.find(Contact, contact_id)):
                work.record(contact_id, contact.withdraw(command))
            for follow_up_id in command.follow_up_ids:
                travelled = _travelled(command.lead_id, follow_up_id)
                if activity_id := work.holder(*travelled):
                    activity = work.load(Activity, activity_id)
                    work.record(activity_id, activity.withdraw(command))
                    work.release(*travelled)
            return command.account_id

        return self.commit(command, decide)

    def add_contact(self, command: AddContact) -> Answer:
        contact_id = command.contact_id or command.new_id("contact")

        def decide(work: Work) -> str:
            work.load(Account, command.account_id).must_be_in_the_books()
            _superior(work, command.reports_to_id)
            _claim_external(work, "contact", command.source, command.external_id, contact_id)
            work.record(contact_id, Contact.add(command))
            return contact_id

        return self.commit(command, decide)

    def change_contact(self, command: ChangeContact) -> Answer:
        def decide(work: Work) -> str:
            contact = work.load(Contact, command.contact_id)
            _superior(work, command.reports_to_id)
            work.record(command.contact_id, contact.change(command))
            return command.contact_id

        return self.commit(command, decide)

    def link_contact(self, command: LinkContact) -> Answer:
        def decide(work: Work) -> str:
            contact = work.load(Contact, command.contact_id)
            work.load(Account, command.account_id).must_be_in_the_books()
            work.record(command.contact_id, contact.link(command))
            return command.contact_id

        return self.commit(command, decide)

    def record_contact_left(self, command: RecordContactLeft) -> Answer:
        return self.change(
            Contact, command.contact_id, lambda contact: contact.leave(command), command
        )

    def record_activity(self, command: RecordActivity) -> Answer:
        activity_id = command.activity_id or command.new_id("activity")

        def decide(work: Work) -> str:
            _participants(work, command.account_id, command.contact_ids)
            work.record(activity_id, Activity.record(command))
            return activity_id

        return self.commit(command, decide)

    def plan_activity(self, command: PlanActivity) -> Answer:
        activity_id = command.activity_id or command.new_id("activity")

        def decide(work: Work) -> str:
            _participants(work, command.account_id, command.contact_ids)
            work.record(activity_id, Activity.planned(command))
            return activity_id

        return self.commit(command, decide)

    def replan_activity(self, command: ReplanActivity) -> Answer:
        def decide(work: Work) -> str:
            activity = work.load(Activity, command.activity_id)
            for contact_id in command.contact_ids:
                work.load(Contact, contact_id)
            work.record(command.activity_id, activity.replan(command))
            return command.activity_id

        return self.commit(command, decide)

    def complete_activity(self, command: CompleteActivity) -> Answer:
        return self.change(
            Activity, command.activity_id, lambda activity: activity.complete(command), command
        )

    def cancel_activity(self, command: CancelActivity) -> Answer:
        return self.change(
            Activity, command.activity_id, lambda activity: activity.cancel(command), command
        )


def _travelled(lead_id: str, follow_up_id: str) -> tuple[str, str]:
    """Return where it is kept which activity a lead's follow-up has become."""
    return f"follow_up:{lead_id}", follow_up_id


def _claim_external(
    work: Work, kind: str, source: str | None, external_id: str | None, stream_id: str
) -> None:
    if external_id is not None:
        work.claim(f"external:{source or ''}:{kind}", external_id, stream_id)


def _number(work: Work, account_id: str) -> str | None:
    number: str | None = work.load(Account, account_id).profile["number"]
    return number


def _ancestors(work: Work, account_id: str | None) -> Iterator[str]:
    """Yield the parents above an account, nearest first; a group is a tree, so this ends."""
    while account_id is not None:
        account = work.load(Account, account_id)
        account.must_be_in_the_books()
        account_id = account.parent_id
        if account_id is not None:
            yield account_id


def _look_whose_turn(work: Work) -> None:
    """Note who changed a group last before any is looked at: taking the turn relies on it."""
    work.holder("account_groups", "turn")


def _take_turn(work: Work, turn: str) -> None:
    """Let no two groups change at once: a cycle could close between accounts neither looked at."""
    work.release("account_groups", "turn")
    work.claim("account_groups", "turn", turn)


def _follow_deals(work: Work, account_id: str) -> None:
    account = work.find(Account, account_id)
    deals = work.find(CustomerDeals, CustomerDeals.stream_of(account_id))
    if account is not None and deals is not None:
        at = account.latest(work.envelope.occurred_at)
        work.record(account_id, account.follow(deals, at), at=at)


def _with_deals(work: Work, account_id: str, opened: list[Event]) -> list[Event]:
    """Add what deals known before the account was opened have made of it."""
    deals = work.find(CustomerDeals, CustomerDeals.stream_of(account_id))
    account = fold(Account, opened)
    if account is None or deals is None:
        return opened
    return opened + account.follow(deals, work.envelope.occurred_at)


def _superior(work: Work, contact_id: str | None) -> None:
    if contact_id is not None:
        work.load(Contact, contact_id)


def _participants(work: Work, account_id: str, contact_ids: tuple[str, ...]) -> None:
    work.load(Account, account_id).must_be_in_the_books()
    for contact_id in contact_ids:
        work.load(Contact, contact_id)
