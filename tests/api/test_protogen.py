import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from pydantic import BaseModel

from shared.chassis.api.protogen import compile_proto, proto_text, stale, write
from shared.chassis.application import Application
from shared.chassis.service import Service
from shared.chassis.shapes import Answer, Command
from tests.api.toy import SERVICE


def service(*commands: type[Command]) -> Service:
    """A service that has just these commands."""

    class Made(Application):
        context = "made"

        @classmethod
        def commands(cls) -> dict[str, type[Command]]:
            return {command.__name__: command for command in commands}

    return Service(name="made", application=Made)


def command(fields: dict[str, Any], http: str | None = None) -> type[Command]:
    namespace = {"__annotations__": fields, "__module__": __name__}
    return type("DoIt", (Command,), namespace, http=http)


def release(folder: Path, fields: dict[str, Any]) -> descriptor_pb2.DescriptorProto:
    """Write a release of the contract; return the request as compiled."""
    write(service(command(fields)), folder)
    path = folder / "annals" / "made" / "v1" / "made.proto"
    compiled = descriptor_pb2.FileDescriptorSet.FromString(compile_proto([path], folder))
    return next(m for m in compiled.file[0].message_type if m.name == "DoItRequest")


def numbers(message: descriptor_pb2.DescriptorProto) -> dict[str, int]:
    return {field.name: field.number for field in message.field}


def test_the_contract_says_where_each_method_stands() -> None:
    text = proto_text(SERVICE)
    assert 'post: "/v1/books/{book_id}:lend"\n      body: "*"' in text
    assert 'get: "/v1/books/{book_id}"\n    }' in text
    assert "rpc CountBooks(CountBooksRequest) returns (Answer) {}" in text
    assert "// Unique among the books on the shelf.\n  optional string isbn = 2;" in text


@pytest.mark.parametrize(
    "line",
    [
        "optional string title = 1 [(google.api.field_behavior) = REQUIRED];",
        "optional string genre = 3;",
        "Price price = 4;",
        "optional string printed_on = 5;",
        "google.protobuf.Timestamp bought_at = 6;",
        "optional int64 copies = 7;",
        "optional double weight = 8;",
        "optional bool loanable = 9;",
        "repeated Chapter chapters = 10;",
        "repeated string tags = 11;",
        "map<string, string> translations = 12;",
        "google.protobuf.Struct custom = 13;",
        "repeated Chapter parts = 3;",
        "repeated BookView items = 1;",
    ],
)
def test_every_type_has_its_form(line: str) -> None:
    assert f"  {line}\n" in proto_text(SERVICE)


def test_numbers_stay_and_removed_ones_are_reserved_for_ever(tmp_path: Path) -> None:
    first = release(tmp_path, {"a": str, "b": int, "c": dict[str, str], "d": list[Answered]})
    assert numbers(first) == {"a": 1, "b": 2, "c": 3, "d": 4}
    second = release(tmp_path, {"e": str, "d": list[Answered], "c": dict[str, str], "a": str})
    assert numbers(second) == {"e": 5, "d": 4, "c": 3, "a": 1}
    assert list(second.reserved_name) == ["b"]
    third = release(tmp_path, {"a": str, "b": int})
    assert numbers(third) == {"a": 1, "b": 6}
    assert [r.start for r in third.reserved_range] == [2, 3, 4, 5]
    assert list(third.reserved_name) == ["c", "d", "e"]


def test_a_field_of_another_type_is_another_field(tmp_path: Path) -> None:
    release(tmp_path, {"a": str, "b": int})
    changed = release(tmp_path, {"a": list[str], "b": int})
    assert numbers(changed) == {"a": 3, "b": 2}
    assert [r.start for r in changed.reserved_range] == [1]


def test_writing_twice_changes_nothing(tmp_path: Path) -> None:
    write(SERVICE, tmp_path)
    assert stale(SERVICE, tmp_path) == []


def test_a_stale_contract_is_found(tmp_path: Path) -> None:
    made = service(command({"a": str}))
    assert stale(made, tmp_path)
    write(made, tmp_path)
    assert stale(service(command({"b": str})), tmp_path)
    fragment = tmp_path / "annals" / "made" / "v1" / "made.openapi.json"
    fragment.write_text("{}")
    assert stale(made, tmp_path) == [fragment]


@pytest.mark.parametrize("http", ["POST v1/x", "FETCH /v1/x", "POST /v1/{b}", "POST /v1/{n}"])
def test_a_malformed_route_is_refused(http: str) -> None:
    with pytest.raises(TypeError):
        proto_text(service(command({"a": str, "n": int}, http=http)))


def test_a_type_without_a_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no form on the wire"):
        proto_text(service(command({"a": type[int]})))


def test_two_models_of_one_name_are_refused() -> None:
    one, other = (type("Twin", (BaseModel,), {"__module__": __name__}) for _ in range(2))
    with pytest.raises(TypeError, match="both called Twin"):
        proto_text(service(command({"a": one, "b": other})))


def test_the_page_says_who_wrote_it() -> None:
    assert re.match(r"// Written by `make proto`", proto_text(SERVICE))


class Answered(BaseModel):
    answer: str = Answer.__name__
