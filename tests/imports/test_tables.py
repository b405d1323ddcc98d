"""Files as tables: what can be read is read, what cannot is named and set aside."""

import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from annals.imports.mapping import FileFormat, MappingError
from annals.imports.tables import TableRow, UnreadableFile, open_table
from tests.imports.conftest import Office

PLAIN = FileFormat()
HALF_PAST_NINE = datetime(2024, 3, 1, 9, 30)  # noqa: DTZ001 - workbooks know no zones
Write = Callable[..., Path]


def rows(path: Path, format: FileFormat = PLAIN) -> list[TableRow]:
    with open_table(path, format) as table:
        return list(table.rows())


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Give what writes a file."""

    def write(content: bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def test_rows_know_the_line_they_begin_on(written: Write) -> None:
    found = rows(written(b'a,b\n1,"two\nlines"\n\n3,4\n'))
    assert found == [(2, ["1", "two\nlines"], None), (5, ["3", "4"], None)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"1", "has 1 cells where the header has 2"),
        (b"1,2,3", "has 3 cells where the header has 2"),
        (b"1,\x00", "holds a NUL character"),
        (b"1,caf\xe9", "holds a byte that is no text: 0xE9"),
        (b"1,\xed\xa0\x80", "holds a byte that is no text: 0xED"),
        (b'1,"2"3', "is no CSV: ',' expected after '\"'"),
        (b'1,"' + b"x" * 200_000 + b'"', "is no CSV: field larger than field limit (131072)"),
    ],
)
def test_a_malformed_row_is_named_and_the_next_one_read(
    written: Write, line: bytes, problem: str
) -> None:
    bad, good = rows(written(b"a,b\n" + line + b"\n3,4\n"))
    assert (bad.number, bad.problem) == (2, problem)
    assert good == (3, ["3", "4"], None)


def test_a_quote_that_never_ends_costs_one_row(written: Write) -> None:
    found = rows(written(b'a,b\n1,2\n3,"4\n5,6\n7,8\n'))
    assert [(row.number, row.problem is None) for row in found] == [
        (2, True), (3, False), (4, True), (5, True)
    ]  # fmt: skip
    assert found[1].cells == ['3,"4']


def test_a_quote_that_ends_in_a_later_row_costs_one_row(written: Write) -> None:
    found = rows(written(b'a,b\n1,"2\n3,4\n5,"6"\n'))
    assert [row.cells for row in found] == [['1,"2'], ["3", "4"], ["5", "6"]]
    assert [row.problem is None for row in found] == [False, True, True]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_as_they_like(written: Write, end: bytes) -> None:
    assert [row.cells for row in rows(written(end.join([b"a,b", b"1,2", b"3,4"])))] == [
        ["1", "2"],
        ["3", "4"],
    ]


def test_formats_of_other_programs_are_read(written: Write) -> None:
    assert rows(written(b"\xef\xbb\xbfa,b\n1,2\n"))[0].cells == ["1", "2"]
    semicolons = FileFormat(encoding="gb18030", delimiter=";", quote="'")
    assert rows(written("名;b\n'王;小明';2\n".encode("gb18030")), semicolons)[0].cells == [
        "王;小明",
        "2",
    ]


def test_a_zipped_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tables.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", "a\n1\n")
        archive.writestr("two.csv", "a\n2\n")
    assert rows(path, FileFormat(member="two.csv"))[0].cells == ["2"]
    with pytest.raises(MappingError, match=r"it holds one\.csv, two\.csv"):
        rows(path)
    with pytest.raises(MappingError, match=r"there is no three\.csv"):
        rows(path, FileFormat(member="three.csv"))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.xlsx"
    workbook = Workbook()
    first = workbook.worksheets[0]
    first.title = "guests"
    for row in (
        ["id", "met", "name", "phone", "mail", None],
        [1, HALF_PAST_NINE, "王小明", 13800138000.0, None],
        [None, None],
        ["2", "2024-03-02", "Ada", None, "ada@example.org.cn"],
        ["3", "2024-03-02", "Bob", None, None, "surplus"],
    ):
        first.append(row)
    workbook.create_sheet("empty")
    workbook.save(path)
    return path


def test_a_sheet_is_read_with_its_own_dates_and_numbers(book: Path) -> None:
    first, second, third = rows(book)
    assert first == (2, ["1", HALF_PAST_NINE, "王小明", "13800138000", ""], None)
    assert (second.number, second.cells[1]) == (4, "2024-03-02")
    assert third.problem == "has 6 cells where the header has 5"


def test_a_workbook_is_imported_like_any_table(office: Office, book: Path) -> None:
    outcome = office.take_in("leads", book)
    assert outcome.counts == (2, 0, 1)
    captured = office.facts("leads", "LeadCaptured")[0]
    assert captured.event.phones == ("+8613800138000",)
    assert captured.occurred_at.isoformat() == "2024-03-01T01:30:00+00:00"
    assert outcome.rejects[0]["id"] == "3"


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"", "t.csv", "is empty"),
        (b"\n\n", "t.csv", "has no header"),
        (b"a,b,a\n", "t.csv", "the header names a twice"),
        (b"not a book", "t.xlsx", "is no workbook"),
        ("a,b\n".encode("utf-16"), "t.csv", "the header holds a NUL character"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whole(
    written: Write, content: bytes, name: str, problem: str
) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        rows(written(content, name))


def test_a_file_damaged_further_down_is_refused(tmp_path: Path, written: Write) -> None:
    path = tmp_path / "table.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", "a\n" + "".join(f"{n}\n" for n in range(50_000)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(UnreadableFile, match="is damaged"):
        rows(written(bytes(content), "broken.zip"))
    with pytest.raises(UnreadableFile, match="is damaged"):
        rows(written("a\n1\n".encode("utf-16") + b"\x00\xdc"), FileFormat(encoding="utf-16"))


def test_a_missing_file_or_sheet_is_named(tmp_path: Path, book: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        rows(tmp_path / "nowhere.csv")
    with pytest.raises(MappingError, match="there is no orders; there are guests, empty"):
        rows(book, FileFormat(sheet="orders"))
    with pytest.raises(UnreadableFile, match="has no header"):
        rows(book, FileFormat(sheet="empty"))


def test_malformed_rows_reach_the_rejects_file_as_they_were(office: Office) -> None:
    table = (
        b"id,met,name,phone,mail\n1,2024-03-01,A,,a@example.org.cn\n2,caf\xe9,B,,b@x.org\n3,2024\n"
        b'4,"2024-03-01,B,,\n5,2024-03-01,C,,c@example.org.cn\n'
    )
    outcome = office.take_in("leads", table)
    assert outcome.counts == (2, 0, 3)
    written = (office.folder / "rejects.csv").read_bytes()
    assert b"2,caf\xe9,B,,b@x.org" in written
    assert [row["row"] for row in outcome.rejects] == ["3", "4", "5"]
    assert outcome.rejects[2]["id"] == '4,"2024-03-01,B,,'
