"""Mapping files: what is wrong with one is said by key, before anything is imported."""

from pathlib import Path

import pytest

from annals.imports.mapping import MappingError, load_mapping
from tests.imports.conftest import LEADS_MAPPING, Office

TABLE = "id,met,name,phone,mail\n1,2024-03-01,Lin,,lin@example.org.cn\n"


def with_field(field: str) -> str:
    return f"{LEADS_MAPPING}  {field}\n"


def problems(office: Office, mapping: str, table: str = TABLE, kind: str = "leads") -> list[str]:
    with pytest.raises(MappingError) as raised:
        office.take_in(kind, table, mapping)
    assert office.facts("leads") == []
    return raised.value.problems


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("kind: leads\nsource: x\n", "external_id: is missing"),
        (LEADS_MAPPING + "field: {}\n", "field: is no key that belongs here; did you mean fields?"),
        (LEADS_MAPPING + "source: y\n", "source: stands twice, the second time in line 12"),
        (LEADS_MAPPING + "time_zone: Asia/Shangai\n", "time_zone: Asia/Shangai is no IANA time"),
        (LEADS_MAPPING + "formats: '%d/%q'\n", "formats.0: %d/%q is no date format"),
        (LEADS_MAPPING + "file: {encoding: utf-9}\n", "file.encoding: utf-9 is no encoding"),
        (LEADS_MAPPING + "file: {delimiter: '||'}\n", "file.delimiter: "),
        (LEADS_MAPPING + "phone_country: China\n", "phone_country: "),
        (LEADS_MAPPING.replace("fair", "The Fair"), "source: "),
        (
            LEADS_MAPPING + "  title: {colum: name}\n",
            "fields.title.colum: is no key that belongs here; did you mean column?",
        ),
        (
            LEADS_MAPPING + "  title: {column: name, constant: x}\n",
            "fields.title: give exactly one of column, columns, constant",
        ),
        (LEADS_MAPPING + "  title: {id_of: accounts}\n", "fields.title: id_of needs `of`"),
        (LEADS_MAPPING + "  title: {lookup: x, of: id}\n", "fields.title: lookup needs `take`"),
        (LEADS_MAPPING + "  title: {column: name, as: verse}\n", "fields.title.as: "),
        ("- a list\n", "holds no keys"),
        ("kind: [unclosed", "is no YAML"),
        ("kind: " + "[" * 5000, "is nested too deeply"),
        ("{[a]: b, {c: d}: e}", "is no YAML"),
        ("kind: &kind [*kind]", "kind: "),
    ],
)
def test_a_key_that_does_not_fit_is_named(office: Office, mapping: str, problem: str) -> None:
    assert any(problem in found for found in problems(office, mapping))


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        (
            LEADS_MAPPING.replace("name: name", "name: nam"),
            "fields.name: the file has no column 'nam'; did you mean name?",
        ),
        (
            LEADS_MAPPING.replace("  name:", "  nmae:"),
            "fields.nmae: ImportLead has no field 'nmae'; did you mean name?",
        ),
        (
            LEADS_MAPPING.replace("  channel: {constant: event}\n", ""),
            "fields.channel: leads need it",
        ),
        (with_field("lead_id: id"), "fields.lead_id: is filled by the import itself"),
        (
            with_field("budget.amout: id"),
            "fields.budget.amout: Money has no field 'amout'; did you mean amount?",
        ),
        (
            with_field("title: {column: name, row: first}"),
            "fields.title: without `group_by` a record has one row only",
        ),
        (
            with_field("title: {id_of: lead, of: id}"),
            "fields.title.id_of: there is no kind 'lead'; did you mean leads?",
        ),
        (
            with_field("title: {id_of: conversions, of: id}"),
            "fields.title.id_of: conversions have no ids of their own",
        ),
        (
            with_field("title: {lookup: x, of: id, take: y}"),
            "fields.title.lookup: lookups hold no 'x'",
        ),
        (
            with_field("expected_purchase_on: {constant: soon}"),
            "fields.expected_purchase_on.constant: 'soon' is no date",
        ),
        (LEADS_MAPPING + "group_by: nr\n", "group_by: the file has no column 'nr'"),
        (LEADS_MAPPING + "order_by: nr\n", "order_by: the file has no column 'nr'"),
        (
            LEADS_MAPPING + "before: [{kind: lead, external_id: id}]\n",
            "before.0.kind: there is no kind 'lead'; did you mean leads?",
        ),
        (LEADS_MAPPING + "lookups: {l: {file: t.csv, key: nr}}\n", "lookups.l.key: "),
    ],
)
def test_what_the_table_or_the_kind_lacks_is_named(
    office: Office, mapping: str, problem: str
) -> None:
    office.write("t.csv", TABLE)
    assert any(problem in found for found in problems(office, mapping))


def test_all_problems_are_told_at_once(office: Office) -> None:
    mapping = LEADS_MAPPING.replace("name: name", "name: nam").replace("phone\n", "phon\n")
    assert len(problems(office, mapping)) == 2


def test_the_mapping_must_be_for_the_kind(office: Office) -> None:
    assert problems(office, LEADS_MAPPING, kind="tickets") == [
        "kind: the mapping is for leads, not for tickets"
    ]
    assert "there are leads, accounts" in problems(office, LEADS_MAPPING, kind="conversions")[0]


def test_a_mapping_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        load_mapping(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"description: caf\xe9")
    with pytest.raises(MappingError, match="is not UTF-8 text"):
        load_mapping(tmp_path / "latin.yaml")


def test_yaml_words_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(LEADS_MAPPING + "  region: {column: mail, values: {no: Norway, 1.0: one}}\n")
    assert load_mapping(path).fields["region"].values == {"no": "Norway", "1.0": "one"}
