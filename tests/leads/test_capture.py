"""Leads are captured from any channel, validated, and recognised when they are known already."""

import string

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.leads.application import LeadsApplication
from services.leads.commands import (
    CaptureLead,
    ChangeLead,
    ConfigureDuplicateRules,
    ImportedConversion,
    ImportLead,
)
from services.leads.domain.contact_details import read_emails, read_phones, read_platform_ids
from services.leads.domain.refusals import AlreadyCustomer, DuplicateLead, LeadIsSettled
from services.leads.projections.known_customers import CustomerAddresses, KnownCustomers
from shared.chassis.shapes import FieldViolation, Invalid, Taken
from shared.chassis.testing import NOON, Scenario, folded, issue, recorded, scenario
from shared.events.accounts import AccountWithdrawn, ContactProfileChanged
from shared.events.leads import (
    DemandLevel,
    DuplicateMatch,
    DuplicateOutcome,
    DuplicateRule,
    DuplicateRulesConfigured,
    DuplicateScope,
    LeadAssigned,
    LeadCaptured,
    LeadConverted,
    LeadDisqualified,
    LeadPooled,
    LeadProfileChanged,
    LeadQualified,
    MatchKind,
    StatementMerged,
)
from shared.events.values import AssignmentMethod, Money
from tests.leads.builders import (
    DAY,
    EMAIL,
    LEAD,
    PHONE,
    POOL,
    account_opened,
    contact_added,
    lead_captured,
    lead_converted,
    lead_pooled,
    pool_opened,
)

RULES = "leads.duplicates"


def leads() -> Scenario[LeadsApplication]:
    return scenario(LeadsApplication, (KnownCustomers, CustomerAddresses))


def capture(**given: object) -> CaptureLead:
    return CaptureLead.model_validate(
        {"name": "李娜", "channel": "web_form", "phones": [PHONE]} | given
    )


def rules(outcome: DuplicateOutcome, **given: object) -> DuplicateRulesConfigured:
    fields = given.pop("fields", (DuplicateMatch(field="phones"),))
    rule = DuplicateRule.model_validate(
        {"rule": "ours", "fields": fields, "outcome": outcome} | given
    )
    return DuplicateRulesConfigured(rules_version=1, rules=(rule,))


@pytest.mark.capability("LEA-01")
def test_a_capture_keeps_everything_that_was_said_and_the_payload_it_came_in() -> None:
    done = leads().when(
        capture(
            lead_id=LEAD,
            company="云山科技",
            title="采购经理",
            emails=["Li.Na@EXAMPLE.com"],
            platform_ids={"wechat": "li_na_2026"},
            region="华东",
            industry="软件",
            expected_scale="200 seats",
            demand_level="high",
            budget={"amount": "120000.50", "currency": "CNY"},
            win_probability=40,
            expected_purchase_on="2026-06-30",
            need="想了解企业版",
            custom={"favourite_colour": "blue"},
            campaign_id="spring",
            utm={"source": "baidu"},
            referrer="https://example.com/ad",
            raw={"form": "7", "fields": {"tel": "139 1234 5678"}},
        )
    )
    assert done.answer is not None
    assert done.answer.id == LEAD
    assert done.answer.version == 1
    done.then(
        LeadCaptured(
            name="李娜",
            company="云山科技",
            title="采购经理",
            phones=(PHONE,),
            emails=("Li.Na@example.com",),
            platform_ids={"wechat": "li_na_2026"},
            region="华东",
            industry="软件",
            expected_scale="200 seats",
            demand_level=DemandLevel.HIGH,
            budget=Money.of("120000.50", "CNY"),
            win_probability=40,
            expected_purchase_on="2026-06-30",  # type: ignore[arg-type]
            need="想了解企业版",
            custom={"favourite_colour": "blue"},
            channel="web_form",
            stated_at=NOON,
            campaign_id="spring",
            utm={"source": "baidu"},
            referrer="https://example.com/ad",
            raw={"form": "7", "fields": {"tel": "139 1234 5678"}},
        )
    )


@pytest.mark.capability("LEA-01")
def test_a_statement_that_names_nobody_is_refused() -> None:
    leads().when(CaptureLead(channel="chat", need="anything")).then_refused(Invalid)


@pytest.mark.capability("LEA-01")
@pytest.mark.parametrize(
    "bad",
    [
        {"colour": "red"},
        {"win_probability": 101},
        {"budget": {"amount": "1.00001", "currency": "CNY"}},
        {"budget": {"amount": "1", "currency": "XXX"}},
        {"expected_purchase_on": "2026-02-30"},
        {"name": "x" * 201},
        {"channel": ""},
        {"lead_id": "no spaces allowed"},
    ],
)
def test_a_capture_with_unknown_or_impossible_fields_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        capture(**bad)


@pytest.mark.capability("LEA-01")
def test_the_same_id_cannot_be_captured_twice() -> None:
    given = leads().given(LEAD, lead_captured(phones=(), emails=()))
    given.when(capture(lead_id=LEAD)).then_refused(Taken, holder=LEAD)


@pytest.mark.capability("LEA-01")
def test_a_repeated_command_gets_the_first_answer() -> None:
    done = leads()
    first = done.when(capture(), command_id="c-1").answer
    again = done.when(capture(), command_id="c-1").then_nothing().answer
    assert again == first


@pytest.mark.capability("LEA-01")
def test_a_record_of_another_system_is_taken_in_once() -> None:
    done = leads().after(capture(source="olist", external_id="mql-1", phones=[]))
    again = capture(name="Somebody else", source="olist", external_id="mql-1", phones=[])
    done.when(again).then_refused(Taken, scope="external:olist")
    done.when(capture(source="other", external_id="mql-1", phones=[])).then_kinds(LeadCaptured)


@pytest.mark.capability("LEA-03")
def test_every_field_that_does_not_fit_is_named_at_once() -> None:
    done = leads().when(
        capture(
            phones=["139 1234 5678", "+8611", "hello"],
            phone_country="CN",
            emails=["a@b", "ok@example.com"],
            platform_ids={"wechat": "no"},
        )
    )
    done.then_refused(Invalid)
    assert isinstance(done.refusal, Invalid)
    assert [violation.field for violation in done.refusal.violations] == [
        "phones.1",
        "phones.2",
        "emails.0",
        "platform_ids.wechat",
    ]


@pytest.mark.capability("LEA-03")
def test_phones_are_read_in_the_country_of_the_address() -> None:
    done = leads().when(capture(phones=["(11) 96123-4567"], address={"country": "BR"}))
    [fact] = done.then_kinds(LeadCaptured).news
    assert isinstance(fact.event, LeadCaptured)
    assert fact.event.phones == ("+5511961234567",)


@pytest.mark.capability("LEA-03")
def test_a_phone_without_country_says_what_is_missing() -> None:
    done = leads().when(capture(phones=["139 1234 5678"]))
    done.then_refused(Invalid)
    assert "phone_country" in str(done.refusal)


@pytest.mark.capability("LEA-03")
@given(
    st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    st.lists(st.tuples(st.integers(0, 14), st.sampled_from(string.digits)), max_size=3),
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from(" -")), max_size=4),
)
def test_the_short_way_to_read_phones_agrees_with_the_library(
    region: str, edits: list[tuple[int, str]], groups: list[tuple[int, str]]
) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return
    digits = list(str(example.national_number))
    for place, digit in edits:
        digits[place % len(digits)] = digit
    written = list(f"+{example.country_code}{''.join(digits)}")
    for place, between in groups:
        written.insert(place, between)
    text = "".join(written)
    found: list[FieldViolation] = []
    read = read_phones([text], None, found)
    try:
        number = phonenumbers.parse(text)
        valid = phonenumbers.is_valid_number(number)
    except phonenumbers.NumberParseException:
        valid = False
    e164 = phonenumbers.PhoneNumberFormat.E164
    assert read == ((phonenumbers.format_number(number, e164),) if valid else ())
    assert bool(found) is not valid


@pytest.mark.capability("LEA-03")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain@example.com", "plain@example.com"),
        ("Some.One@Example.COM", "Some.One@example.com"),
        ("王伟@例子.中国", "王伟@例子.中国"),
        ("nobody@localhost", None),
        ("nobody@something.test", None),
        ("two@at@example.com", None),
        ("a..b@example.com", None),
        ("", None),
    ],
)
def test_mail_addresses_are_kept_by_syntax_and_domain(text: str, kept: str | None) -> None:
    found: list[FieldViolation] = []
    assert read_emails([text], found) == ((kept,) if kept else ())
    assert bool(found) is (kept is None)


@pytest.mark.capability("LEA-03")
def test_platform_ids_have_the_form_of_their_platform() -> None:
    found: list[FieldViolation] = []
    ids = {"wechat": "zhang_san", "qq": "0123", "mastodon": "@me@example.social", "Odd": "x"}
    assert read_platform_ids(ids, found) == {
        "wechat": "zhang_san",
        "mastodon": "@me@example.social",
    }
    assert len(found) == 2


@pytest.mark.capability("LEA-04")
def test_a_second_lead_with_a_known_phone_is_refused_and_names_the_first() -> None:
    done = leads().after(capture(lead_id=LEAD))
    done.when(capture(name="Other")).then_refused(
        DuplicateLead, holder=LEAD, rules="leads.duplicates@0", duplicate_rule="same_phone"
    )


@pytest.mark.capability("LEA-04")
def test_mail_addresses_are_compared_without_regard_to_case() -> None:
    done = leads().after(capture(lead_id=LEAD, phones=[], emails=["Wang@example.com"]))
    again = capture(name="Other", phones=[], emails=["wang@EXAMPLE.com"])
    done.when(again).then_refused(DuplicateLead, holder=LEAD)


@pytest.mark.capability("LEA-04")
def test_customers_are_recognised_by_their_own_and_their_contacts_addresses() -> None:
    known = leads().known(
        recorded(account_opened(), "account-1"),
        recorded(contact_added(), "contact-1", position=2),
    )
    known.when(capture()).then_refused(AlreadyCustomer, holder="account-1")
    by_mail = capture(phones=[], emails=[EMAIL])
    known.when(by_mail).then_refused(AlreadyCustomer, holder="account-1")
    known.when(capture(phones=["+8613912345679"])).then_kinds(LeadCaptured)


@pytest.mark.capability("LEA-04")
def test_an_address_a_customer_gave_up_recognises_nobody() -> None:
    known = leads().known(
        recorded(contact_added(emails=None, phones=(PHONE,)), "contact-1"),
        recorded(
            ContactProfileChanged(
                name="王伟", phones=("+8613800000000",), account_ids=("a",), changed=("phones",)
            ),
            "contact-1",
            version=2,
            position=2,
        ),
    )
    known.when(capture()).then_kinds(LeadCaptured)


@pytest.mark.capability("LEA-04")
def test_a_withdrawn_or_erased_customer_is_nobody() -> None:
    facts = [
        recorded(account_opened(), "account-1"),
        recorded(AccountWithdrawn(reason="mistake"), "account-1", version=2, position=2),
        recorded(contact_added(emails=None, phones=None), "contact-1", position=3, erased=True),
    ]
    rows = folded(KnownCustomers, facts)
    assert list(rows) == [("contact-1",)]
    assert rows["contact-1",]["phones"] == []


@pytest.mark.capability("LEA-04")
def test_a_merge_rule_adds_what_is_new_to_the_known_lead() -> None:
    done = (
        leads()
        .given(RULES, rules(DuplicateOutcome.MERGE))
        .after(capture(lead_id=LEAD, name="李娜", emails=["a@example.com"], custom={"a": 1}))
        .when(
            capture(
                name="Nobody",
                channel="event",
                emails=["b@example.com"],
                industry="软件",
                custom={"a": 2, "b": 3},
            ),
            at=NOON + DAY,
        )
    )
    assert done.answer is not None
    assert done.answer.id == LEAD
    assert done.answer.outcome == {"merged_into": LEAD}
    done.then(
        StatementMerged(
            name="李娜",
            phones=(PHONE,),
            emails=("a@example.com", "b@example.com"),
            industry="软件",
            custom={"a": 1, "b": 3},
            channel="event",
            stated_at=NOON + DAY,
            matched_on=("phones",),
            statements=2,
        )
    )
    assert done.news[0].rule == "leads.duplicates@1"


@pytest.mark.capability("LEA-04")
def test_what_was_merged_recognises_the_lead_from_then_on() -> None:
    done = leads().given(RULES, rules(DuplicateOutcome.MERGE))
    done.after(capture(lead_id=LEAD), capture(phones=[PHONE, "+8613800000000"]))
    done.when(capture(phones=["+8613800000000"])).then_kinds(StatementMerged)


@pytest.mark.capability("LEA-04")
def test_a_converted_lead_takes_no_further_statements() -> None:
    done = leads().given(RULES, rules(DuplicateOutcome.MERGE)).after(capture(lead_id=LEAD))
    done.given(LEAD, lead_converted())
    done.when(capture()).then_refused(AlreadyCustomer, holder="account-1")


@pytest.mark.capability("LEA-04")
def test_a_warning_names_the_suspects_and_lets_the_lead_in() -> None:
    done = (
        leads()
        .given(RULES, rules(DuplicateOutcome.WARN))
        .known(recorded(account_opened(), "account-1"))
        .after(capture(lead_id=LEAD))
        .when(capture())
    )
    [fact] = done.then_kinds(LeadCaptured).news
    assert isinstance(fact.event, LeadCaptured)
    assert fact.event.suspected_lead_ids == (LEAD,)
    assert fact.event.suspected_account_ids == ("account-1",)
    assert fact.rule == "leads.duplicates@1"


@pytest.mark.capability("LEA-04")
def test_outside_the_window_a_known_phone_is_new_again() -> None:
    done = leads().given(RULES, rules(DuplicateOutcome.REFUSE, window_days=30))
    done.after(capture(lead_id=LEAD))
    done.when(capture(), at=NOON + 29 * DAY).then_refused(DuplicateLead, holder=LEAD)
    done.when(capture(lead_id="lead-2"), at=NOON + 31 * DAY).then_kinds(LeadCaptured)
    done.when(capture(), at=NOON + 40 * DAY).then_refused(DuplicateLead, holder="lead-2")


@pytest.mark.capability("LEA-04")
def test_a_rule_may_look_among_the_leads_of_one_channel_only() -> None:
    done = leads().given(RULES, rules(DuplicateOutcome.REFUSE, scope=DuplicateScope.CHANNEL))
    done.after(capture())
    done.when(capture(channel="web_form")).then_refused(DuplicateLead)
    done.when(capture(channel="event")).then_kinds(LeadCaptured)


@pytest.mark.capability("LEA-04")
def test_a_rule_over_several_fields_needs_all_of_them_to_agree() -> None:
    fields = (
        DuplicateMatch(field="name", match=MatchKind.CASE_FOLDED),
        DuplicateMatch(field="company", match=MatchKind.CASE_FOLDED),
    )
    done = leads().given(RULES, rules(DuplicateOutcome.REFUSE, fields=fields))
    done.after(capture(name="Ana  Souza", company="ACME", phones=[]))
    done.when(capture(name="ana souza", company="acme", phones=[])).then_refused(DuplicateLead)
    done.when(capture(name="ana souza", company="other", phones=[])).then_kinds(LeadCaptured)
    done.when(capture(name="ana souza", phones=[])).then_kinds(LeadCaptured)


@pytest.mark.capability("LEA-04")
def test_a_changed_phone_counts_at_once_and_the_old_one_no_longer() -> None:
    other = "+8613800000000"
    done = leads().after(capture(lead_id=LEAD))
    done.when(ChangeLead(lead_id=LEAD, phones=(other,))).then_kinds(LeadProfileChanged)
    done.when(capture(phones=[other])).then_refused(DuplicateLead, holder=LEAD)
    done.when(capture(lead_id="lead-2")).then_kinds(LeadCaptured)
    taken = ChangeLead(lead_id=LEAD, phones=(PHONE,))
    done.when(taken).then_refused(DuplicateLead, holder="lead-2")


@pytest.mark.capability("LEA-04")
def test_rules_are_versioned_and_saying_them_twice_changes_nothing() -> None:
    configure = ConfigureDuplicateRules(rules=rules(DuplicateOutcome.MERGE).rules)
    done = leads().when(configure).then(rules(DuplicateOutcome.MERGE))
    done.when(configure).then_nothing()
    done.when(ConfigureDuplicateRules(rules=())).then(
        DuplicateRulesConfigured(rules_version=2, rules=())
    )


@pytest.mark.capability("LEA-04")
def test_rules_over_fields_that_cannot_be_compared_are_refused() -> None:
    odd = rules(DuplicateOutcome.WARN, fields=(DuplicateMatch(field="budget"),), window_days=0)
    done = leads().when(ConfigureDuplicateRules(rules=odd.rules)).then_refused(Invalid)
    assert isinstance(done.refusal, Invalid)
    assert len(done.refusal.violations) == 2
    none = rules(DuplicateOutcome.WARN, fields=())
    leads().when(ConfigureDuplicateRules(rules=none.rules * 2)).then_refused(Invalid)


@pytest.mark.capability("LEA-01")
def test_a_change_keeps_what_is_left_out_and_empties_what_is_named() -> None:
    done = leads().given(LEAD, lead_captured(title="Buyer", custom={"a": 1}))
    done.when(ChangeLead(lead_id=LEAD, title="Head of buying", clear=("custom",))).then(
        LeadProfileChanged(
            name="王伟",
            company="云山科技",
            title="Head of buying",
            phones=(PHONE,),
            emails=(EMAIL,),
            changed=("title", "custom"),
        )
    )
    done.when(ChangeLead(lead_id=LEAD, title="Head of buying")).then_nothing()
    done.when(ChangeLead(lead_id=LEAD, clear=("owner_id",))).then_refused(Invalid)


@pytest.mark.capability("LEA-01")
def test_a_converted_lead_is_not_changed_any_more() -> None:
    done = leads().given(LEAD, lead_captured(), lead_converted())
    done.when(ChangeLead(lead_id=LEAD, title="x")).then_refused(LeadIsSettled)


@pytest.mark.capability("LEA-01")
def test_a_capture_may_say_who_has_the_lead_or_where_it_waits() -> None:
    done = leads().given(POOL, pool_opened())
    done.when(capture(owner_id="anna")).then_kinds(LeadCaptured, LeadAssigned)
    done.when(capture(phones=[], pool_id=POOL)).then_kinds(LeadCaptured, LeadPooled)


@pytest.mark.capability("LEA-01")
def test_a_historic_lead_is_taken_in_with_its_whole_life_and_its_own_times() -> None:
    won = NOON - 2 * DAY
    done = leads().when(
        ImportLead(
            lead_id=LEAD,
            name="Loja",
            channel="paid_search",
            source="olist",
            external_id="mql-7",
            owner_id="sr-1",
            assigned_at=NOON + DAY,
            qualified_at=NOON + 2 * DAY,
            conversion=ImportedConversion(at=won, account_id="seller-1", with_opportunity=True),
        ),
        import_id="import-1",
    )
    done.then_kinds(LeadCaptured, LeadAssigned, LeadQualified, LeadConverted)
    assert [fact.occurred_at for fact in done.news] == [NOON, NOON + DAY, NOON + 2 * DAY, won]
    assert {fact.import_id for fact in done.news} == {"import-1"}
    assigned, converted = done.news[1].event, done.news[3].event
    assert isinstance(assigned, LeadAssigned)
    assert isinstance(converted, LeadConverted)
    assert assigned.method is AssignmentMethod.IMPORTED
    assert (converted.account_id, converted.owner_id) == ("seller-1", "sr-1")
    assert converted.opportunity_id is not None


@pytest.mark.capability("LEA-01")
def test_a_historic_lead_may_have_been_given_up_or_wait_in_a_pool() -> None:
    done = leads().given(POOL, pool_opened())
    given_up = ImportLead(
        name="Loja",
        channel="email",
        owner_id="sr-1",
        disqualified_at=NOON + DAY,
        disqualified_because="no stock",
    )
    done.when(given_up).then_kinds(LeadCaptured, LeadAssigned, LeadDisqualified)
    done.when(ImportLead(name="Loja", channel="email", pool_id=POOL)).then_kinds(
        LeadCaptured, LeadPooled
    )


@pytest.mark.capability("LEA-01")
@pytest.mark.parametrize(
    "contradiction",
    [
        {"disqualified_at": NOON},
        {"disqualified_because": "x", "owner_id": "a"},
        {"conversion": {"at": NOON}},
        {"assigned_at": NOON},
        {
            "owner_id": "a",
            "conversion": {"at": NOON},
            "disqualified_at": NOON,
            "disqualified_because": "x",
        },
    ],
)
def test_a_historic_lead_that_contradicts_itself_is_refused(
    contradiction: dict[str, object],
) -> None:
    record = ImportLead.model_validate({"name": "Loja", "channel": "email"} | contradiction)
    leads().when(record).then_refused(Invalid)


@pytest.mark.capability("LEA-04")
def test_a_batch_sees_the_duplicates_within_itself() -> None:
    application = leads().application
    first, second = application.bulk([issue(capture(lead_id=LEAD)), issue(capture())])
    assert not isinstance(first, Exception)
    assert isinstance(second, DuplicateLead)
    assert second.holder == LEAD


def test_a_pooled_lead_keeps_its_place_when_it_states_an_interest_again() -> None:
    done = leads().given(RULES, rules(DuplicateOutcome.MERGE)).after(capture(lead_id=LEAD))
    done.given(LEAD, lead_pooled())
    done.when(capture()).then_kinds(StatementMerged)


@pytest.mark.capability("LEA-04")
def test_a_change_cannot_make_two_leads_one_and_asks_only_about_what_is_new() -> None:
    done = (
        leads()
        .given(RULES, rules(DuplicateOutcome.MERGE))
        .after(capture(lead_id=LEAD), capture(lead_id="lead-2", phones=["+8613800000000"]))
    )
    done.when(ChangeLead(lead_id="lead-2", phones=(PHONE,))).then_refused(
        DuplicateLead, holder=LEAD
    )
    known = leads().after(capture(lead_id=LEAD, emails=[EMAIL]))
    known.known(recorded(contact_added(), "contact-1"))
    more = ChangeLead(lead_id=LEAD, phones=(PHONE, "+8613800000000"))
    known.when(more).then_kinds(LeadProfileChanged)
