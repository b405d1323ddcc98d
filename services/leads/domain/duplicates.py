"""What counts as a duplicate, and what happens then."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple, Protocol

from services.leads.commands import ConfigureDuplicateRules
from services.leads.domain.refusals import AlreadyCustomer, DuplicateLead
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.leads import (
    DuplicateMatch,
    DuplicateOutcome,
    DuplicateRule,
    DuplicateRulesConfigured,
    DuplicateScope,
    MatchKind,
)

__all__ = [
    "DUPLICATE_RULES",
    "DuplicateRules",
    "Known",
    "Origin",
    "Recognised",
    "Statable",
    "UniqueKey",
]

DUPLICATE_RULES = "leads.duplicates"
"""The stream of these rules."""

_SAME_PHONE = DuplicateRule(
    rule="same_phone",
    fields=(DuplicateMatch(field="phones"),),
    outcome=DuplicateOutcome.REFUSE,
)
_SAME_EMAIL = DuplicateRule(
    rule="same_email",
    fields=(DuplicateMatch(field="emails", match=MatchKind.CASE_FOLDED),),
    outcome=DuplicateOutcome.REFUSE,
)
_DEFAULT = (_SAME_PHONE, _SAME_EMAIL)
_COMPARABLE = frozenset(
    {"name", "company", "title", "phones", "emails", "platform_ids", "region", "industry"}
)
_OF_CUSTOMERS = frozenset({"phones", "emails"})


class UniqueKey(NamedTuple):
    """A claim by which a lead is recognised."""

    scope: str
    key: str


class Origin(NamedTuple):
    """Where a statement came from, for rules that look only among the like."""

    channel: str
    campaign_id: str | None
    unit_id: str | None


class Known(Protocol):
    """Where known leads and customers are looked up."""

    def lead_with(self, key: UniqueKey) -> str | None:
        """Return the lead that holds the key."""
        ...

    def stated_at(self, lead_id: str) -> datetime | None:
        """Return when the lead last stated an interest."""
        ...

    def customers_with(self, field: str, values: Sequence[str]) -> set[str]:
        """Return the accounts reached under one of these phones or (case-folded) emails."""
        ...


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """What the rules make of a new statement that they do not refuse."""

    merge_into: str | None = None
    matched_on: tuple[str, ...] = ()
    keys: tuple[UniqueKey, ...] = ()
    """By which the statement's lead can be recognised later."""
    suspected_lead_ids: tuple[str, ...] = ()
    suspected_account_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DuplicateRules:
    """The company's rules for telling that a new lead is a known one."""

    version: int = 0
    rules: tuple[DuplicateRule, ...] = _DEFAULT

    @property
    def name(self) -> str:
        """The rules and their version, as facts name them."""
        return f"{DUPLICATE_RULES}@{self.version}"

    def configure(self, command: ConfigureDuplicateRules) -> list[Event]:
        found: list[FieldViolation] = []
        for index, rule in enumerate(command.rules):
            fields = [match.field for match in rule.fields]
            if not fields or len(set(fields)) < len(fields):
                found.append(FieldViolation(f"rules.{index}.fields", "name each field once"))
            found += [
                FieldViolation(
                    f"rules.{index}.fields",
                    f"{field!r} cannot be compared; known: {', '.join(sorted(_COMPARABLE))}",
                )
                for field in fields
                if field not in _COMPARABLE
            ]
            if rule.window_days is not None and rule.window_days < 1:
                found.append(FieldViolation(f"rules.{index}.window_days", "must be at least 1"))
        names = [rule.rule for rule in command.rules]
        if len(set(names)) < len(names):
            found.append(FieldViolation("rules", "two rules have the same name"))
        if found:
            raise Invalid(found)
        if self.version and self.rules == command.rules:
            return []
        return [DuplicateRulesConfigured(rules_version=self.version + 1, rules=command.rules)]

    def comparable(self, profile: dict[str, Any], origin: Origin) -> "Statable":
        """Return a statement as these rules, and then the default, compare it with others."""
        keyed = [(one, list(_keys(one, profile, origin))) for one in self._comparisons]
        return Statable(self, profile, keyed)

    @cached_property
    def _comparisons(self) -> "Sequence[_Comparison]":
        """These rules, and then the default if others are configured."""
        every = (*self.rules, *_DEFAULT) if self.version else self.rules
        return [_Comparison(rule, _scope(rule), _compared_with_customers(rule)) for rule in every]

    def recognise(
        self,
        stated: "Statable",
        at: datetime,
        known: Known,
        *,
        itself: str | None = None,
        news: Collection[UniqueKey] | None = None,
    ) -> Recognised:
        """Try the rules in order: warnings are collected, the first other match decides.

        Args:
            stated: what is stated, compared by these rules.
            at: when.
            known: looks known leads and customers up.
            itself: the lead that is being changed.
            news: the keys that are new with the change; rules without any are left out.

        Raises:
            DuplicateLead, AlreadyCustomer: by a rule that refuses.
        """
        leads: dict[str, None] = {}
        accounts: dict[str, None] = {}
        merge: tuple[str, tuple[str, ...]] | None = None
        for (rule, _, asked), keys in stated.keyed[: len(self.rules)]:
            if not keys or (news is not None and not any(key in news for key in keys)):
                continue
            fields = tuple(match.field for match in rule.fields)
            lead_id = self._lead(rule, keys, at, known, itself)
            account_ids = _customers(asked, stated, known)
            match rule.outcome:
                case DuplicateOutcome.WARN:
                    leads |= {lead_id: None} if lead_id else {}
                    accounts |= dict.fromkeys(account_ids)
                case DuplicateOutcome.MERGE if lead_id and itself is None:
                    merge = (lead_id, fields)
                    break
                case _ if lead_id:
                    raise DuplicateLead(lead_id, self.name, rule.rule, fields)
                case _ if account_ids:
                    raise AlreadyCustomer(account_ids[0], self.name, fields=list(fields))
        return Recognised(
            merge_into=merge[0] if merge else None,
            matched_on=merge[1] if merge else (),
            keys=stated.keys,
            suspected_lead_ids=tuple(leads),
            suspected_account_ids=tuple(accounts),
        )

    @staticmethod
    def _lead(
        rule: DuplicateRule,
        keys: Sequence[UniqueKey],
        at: datetime,
        known: Known,
        itself: str | None,
    ) -> str | None:
        for key in keys:
            holder = known.lead_with(key)
            if holder is None or holder == itself:
                continue
            if rule.window_days is not None:
                stated_at = known.stated_at(holder)
                if stated_at and stated_at < at - timedelta(days=rule.window_days):
                    continue
            return holder
        return None

    @staticmethod
    def evolve(state: "DuplicateRules | None", event: Event) -> "DuplicateRules | None":
        match event:
            case DuplicateRulesConfigured():
                return replace(
                    state or DuplicateRules(), version=event.rules_version, rules=event.rules
                )
        return state


class _Comparison(NamedTuple):
    """A rule, made ready to compare many statements by."""

    rule: DuplicateRule
    scope: str
    """Of the keys it makes."""
    asked: Sequence[str]
    """The fields by which customers are looked for."""


@dataclass(frozen=True)
class Statable:
    """A statement of interest as rules compare it.

    Args:
        rules: which.
        profile: what is stated.
        keyed: the rules, and then the default if others are configured, with their keys.
    """

    rules: DuplicateRules
    profile: dict[str, Any]
    keyed: Sequence[tuple[_Comparison, Sequence[UniqueKey]]]

    @cached_property
    def customer_values(self) -> Mapping[str, Sequence[str]]:
        """What customers are looked for by: `phones` or `emails`, with the values."""
        fields = {field for comparison, _ in self.keyed for field in comparison.asked}
        return {field: _customer_values(self.profile, field) for field in sorted(fields)}

    @cached_property
    def keys(self) -> tuple[UniqueKey, ...]:
        """By which the lead can be recognised later."""
        return tuple(dict.fromkeys(key for _, keys in self.keyed for key in keys))

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Yield what customers are looked for by: `phones` or `emails`, with a value."""
        for field, values in self.customer_values.items():
            for value in values:
                yield field, value


def _keys(by: _Comparison, profile: Mapping[str, Any], origin: Origin) -> Iterable[UniqueKey]:
    rule, scope, _ = by
    within = _within(rule.scope, origin)
    if within is None:
        return
    columns = []
    for match in rule.fields:
        values = _values(profile.get(match.field))
        if not values:
            return
        columns.append([_normal(value, match.match) for value in values])
    for values in product(*columns):
        if all(values):
            yield UniqueKey(scope, "\x1f".join((within, *values) if within else values))


def _scope(rule: DuplicateRule) -> str:
    fields = "+".join(
        m.field if m.match is MatchKind.EXACT else f"{m.field}.{m.match}" for m in rule.fields
    )
    return f"{fields}" if rule.scope is DuplicateScope.ALL else f"{fields}@{rule.scope}"


def _within(scope: DuplicateScope, origin: Origin) -> str | None:
    match scope:
        case DuplicateScope.ALL:
            return ""
        case DuplicateScope.CHANNEL:
            return origin.channel
        case DuplicateScope.CAMPAIGN:
            return origin.campaign_id
        case DuplicateScope.UNIT:
            return origin.unit_id


def _values(value: Any) -> Sequence[str]:
    if not value:
        return ()
    if isinstance(value, Mapping):
        return [f"{name}:{one}" for name, one in value.items()]
    return value if isinstance(value, (tuple, list)) else (str(value),)


def _normal(value: str, kind: MatchKind) -> str:
    match kind:
        case MatchKind.EXACT:
            return value
        case MatchKind.CASE_FOLDED:
            folded = value if value.isascii() else unicodedata.normalize("NFKC", value)
            return " ".join(folded.casefold().split())
        case MatchKind.DIGITS:
            return re.sub(r"\D", "", value)


def _compared_with_customers(rule: DuplicateRule) -> list[str]:
    fields = {match.field for match in rule.fields}
    return sorted(fields) if rule.against_accounts and fields <= _OF_CUSTOMERS else []


def _customer_values(profile: Mapping[str, Any], field: str) -> list[str]:
    return [_normal(value, MatchKind.CASE_FOLDED) for value in _values(profile.get(field))]


def _customers(asked: Sequence[str], stated: Statable, known: Known) -> list[str]:
    found: set[str] | None = None
    for field in asked:
        values = stated.customer_values[field]
        accounts = known.customers_with(field, values) if values else set()
        found = accounts if found is None else found & accounts
    return sorted(found or ())
