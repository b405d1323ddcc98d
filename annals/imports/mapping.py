"""Mapping files: how the columns of a table become the fields of commands."""

import codecs
from collections.abc import Mapping as Dictionary
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

__all__ = [
    "Cast",
    "Expression",
    "FileFormat",
    "Lookup",
    "Mapping",
    "MappingError",
    "RecordMapping",
    "closest",
    "load_mapping",
]


class MappingError(Exception):
    """A mapping that cannot be used; each problem names its key.

    Args:
        problems: one sentence each, beginning with the key's path: `fields.channel: …`.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def closest(name: str, known: Any) -> str:
    """Return `; did you mean …?` when one of the known names resembles `name`, else nothing."""
    match = get_close_matches(name, list(known), n=1)
    return f"; did you mean {match[0]}?" if match else ""


class Cast(StrEnum):
    """What the text of a cell is read as."""

    TEXT = "text"
    SLUG = "slug"
    """An id made of the text: `Moses Frase` becomes `moses-frase`."""
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    MOMENT = "moment"
    YES_NO = "yes_no"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no IANA time zone{closest(name, available_timezones())}")
    return name


def _encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"{name} is no encoding") from None
    return name


def _date_format(text: str) -> str:
    try:
        datetime(2000, 1, 1).strptime(datetime(2000, 1, 1).strftime(text), text)  # noqa: DTZ001
    except ValueError as error:
        raise ValueError(f"{text} is no date format: {error}") from None
    return text


Names = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]
Formats = Annotated[
    tuple[Annotated[str, AfterValidator(_date_format)], ...], BeforeValidator(_listed)
]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Mark = Annotated[str, Field(max_length=1)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expression(_Part):
    """How one value is made of a row: a source, and what happens to it. A bare text is a column."""

    column: str | None = None
    columns: Literal["all"] | Names | None = None
    """Several columns, or all, as an object of their filled cells by name."""
    constant: Any = None
    join: tuple["Expression", ...] | None = None
    """The filled ones of several values in one text."""
    first: tuple["Expression", ...] | None = None
    """The first value there is."""
    list: tuple["Expression", ...] | None = None
    """The values there are."""
    object: dict[str, "Expression"] | None = None
    """Values by name; nothing when the row fills none of them."""
    each: tuple["Expression", ...] | None = None
    """For every row of the record, these values, in one list."""
    id_of: str | None = None
    """The id that an import of this kind gives to the record named by `of`."""
    lookup: str | None = None
    """What stands in another table in the row named by `of`."""

    of: "Expression | None" = None
    source: str | None = None
    """The system the other record was imported from, when it is not this mapping's."""
    must_exist: bool = False
    """Refuse the record while there is no such other one."""
    take: str | None = None
    """The column of the other table."""

    separator: str = " "
    row: Literal["first", "last"] = "last"
    """Which row of the record is read."""
    values: dict[str, str] | None = None
    """What stands for what."""
    others: Literal["keep", "refuse", "drop"] = "keep"
    """What happens to texts that `values` does not name."""
    cast: Annotated[Cast | None, Field(alias="as")] = None
    """What the text is read as; follows from the field when left out."""
    formats: Formats | None = None
    time_zone: TimeZone | None = None
    split: str | None = None
    """Cut the text into a list at this mark."""
    nulls: frozenset[str] | None = None
    default: str | None = None
    """Stands in for nothing."""

    @model_validator(mode="before")
    @classmethod
    def _a_bare_text_is_a_column(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_SOURCES)}")
        if given[0] in {"id_of", "lookup"} and self.of is None:
            raise ValueError(f"{given[0]} needs `of`")
        if given[0] == "lookup" and self.take is None:
            raise ValueError("lookup needs `take`")
        return self

    @property
    def kind(self) -> str:
        """The name of its source."""
        return next(name for name in _SOURCES if getattr(self, name) is not None)

    @property
    def gives_text(self) -> bool:
        """Whether it gives a text, which is then read as what the field needs."""
        return self.kind in {"column", "join", "lookup"} or isinstance(self.constant, str)

    @property
    def gives_one(self) -> bool:
        """Whether it gives a single value, which makes a list of one where a list is needed."""
        single = self.gives_text or self.kind in {"first", "id_of", "object"}
        return single and self.split is None


_SOURCES = (
    "column", "columns", "constant", "join", "first", "list", "object", "each", "id_of", "lookup",
)  # fmt: skip


class RecordMapping(_Part):
    """What one command is made of."""

    kind: str
    external_id: Expression
    """What tells records of this kind apart in the system they come from."""
    occurred_at: Expression | None = None
    """When it happened; the moment of the import when left out."""
    fields: dict[str, Expression] = Field(default_factory=dict)
    """Field of the command, dots for fields within fields, to its value."""


class FileFormat(_Part):
    """How the file is written."""

    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    sheet: str | None = None
    """Sheet of a workbook; the first when left out."""
    member: str | None = None
    """File within a zip archive; the only one when left out."""


class Lookup(_Part):
    """Another table beside the imported one; the first row of a key counts."""

    file: Path
    """Relative to the imported file."""
    key: str
    """Column that names the row."""
    format: FileFormat = FileFormat()


class Mapping(RecordMapping):
    """A mapping file."""

    source: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    """The system the records come from, in small letters."""
    description: str | None = None
    file: FileFormat = FileFormat()
    nulls: frozenset[str] = frozenset({""})
    """Texts that mean nothing; the empty one always does."""
    time_zone: TimeZone | None = None
    """Of moments without one; the installation's when left out."""
    formats: Formats = ()
    """Of dates and moments, tried in order (see strptime); ISO 8601 when left out."""
    decimal_mark: Mark = "."
    thousands_mark: Mark = ""
    phone_country: Country | None = None
    """Country of phone numbers without a prefix."""
    group_by: Names | None = None
    """Columns whose rows of equal values make one record."""
    order_by: Expression | None = None
    """Order of a record's rows; that of the file when left out."""
    lookups: dict[str, Lookup] = Field(default_factory=dict)
    before: tuple[RecordMapping, ...] = ()
    """Records that the same row makes first; one without an external id is left out."""


class _Loader(yaml.BaseLoader):
    """Reads every scalar as text, so that `no` stays `no`, and refuses a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for place, name in enumerate(names):
            if name in names[:place]:
                line = node.value[place][0].start_mark.line + 1
                raise MappingError([f"{name}: stands twice, the second time in line {line}"])
        return super().construct_mapping(node, deep)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        MappingError: it cannot be read, is no YAML, or a key does not fit.
    """
    try:
        document = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 - builds texts only
    except OSError as error:
        raise MappingError([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise MappingError([f"{path}: is not UTF-8 text"]) from None
    except RecursionError:
        raise MappingError([f"{path}: is nested too deeply"]) from None
    except yaml.YAMLError as error:
        raise MappingError([f"{path}: is no YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(document, dict):
        raise MappingError([f"{path}: holds no keys"])
    try:
        return Mapping.model_validate(document)
    except ValidationError as error:
        raise MappingError([_problem(dict(found)) for found in error.errors()]) from None


def _problem(error: Dictionary[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "tuple[Expression, ...]")
    if error["type"] == "extra_forbidden":
        known = {
            field.alias or name
            for model in (Mapping, Expression, FileFormat, Lookup)
            for name, field in model.model_fields.items()
        }
        return f"{key}: is no key that belongs here{closest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{key}: is missing"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
