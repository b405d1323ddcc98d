"""Every question asked twice: for the message, and for the JSON text that stands for it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import orjson

from shared.chassis.api.codec import full_reader
from shared.chassis.api.contract import Rpc, all_contracts
from shared.chassis.api.form import AS_JSON, is_text

__all__ = ["asked_both_ways"]

_MOST = 4
"""Records that each question is asked about."""
_TELLS_MORE = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
"""Refusals of a question that wants more than an id, or knows no such record."""


def asked_both_ways(address: str) -> Iterator[tuple[str, Any, Any]]:
    """Ask every question there is, about records that the lists name; lists of some fields too.

    Args:
        address: where all services answer, as a caller who may see everything.

    Returns:
        For each answer the question's name, what the message says and what the text says.
    """
    questions = [
        rpc
        for contract in all_contracts()
        for rpc in contract.rpcs.values()
        if rpc.route is not None and not rpc.changes
    ]
    ids: dict[str, set[str]] = defaultdict(set)
    with grpc.insecure_channel(address) as channel:
        for rpc in sorted(questions, key=lambda one: "{" in _path(one)):
            for fields in _about(rpc, ids):
                try:
                    message = _asked(channel, rpc, fields)
                except grpc.RpcError as refused:
                    if refused.code() not in _TELLS_MORE:
                        raise
                    continue
                text = _asked(channel, rpc, fields, AS_JSON)
                assert is_text(text), rpc.name
                said = full_reader(rpc.response)(rpc.response.FromString(message))
                plain = orjson.loads(orjson.dumps(said, option=orjson.OPT_UTC_Z))
                _note_ids(plain, ids)
                yield rpc.name, plain, orjson.loads(text)
                if plain.get("items") and "fields" in rpc.request.DESCRIPTOR.fields_by_name:
                    chosen = sorted(plain["items"][0])[::3]
                    cut = {**fields, "fields": ", ".join(chosen)}
                    part = _asked(channel, rpc, cut, AS_JSON)
                    yield f"{rpc.name} of {chosen}", _cut(plain, chosen), orjson.loads(part)


def _cut(page: Mapping[str, Any], chosen: list[str]) -> dict[str, Any]:
    items = [{name: item[name] for name in chosen} for item in page["items"]]
    return {**page, "items": items}


def _path(rpc: Rpc) -> str:
    assert rpc.route is not None
    return rpc.route.path


def _about(rpc: Rpc, ids: Mapping[str, set[str]]) -> list[dict[str, str]]:
    names = re.findall(r"\{(\w+)\}", _path(rpc))
    if not names:
        return [{}]
    (name,) = names
    return [{name: one} for one in sorted(ids.get(name, ()))[:_MOST]]


def _asked(
    channel: grpc.Channel, rpc: Rpc, fields: dict[str, str], *metadata: tuple[str, str]
) -> bytes:
    method = channel.unary_unary(rpc.path, request_serializer=rpc.request.SerializeToString)
    answer: bytes = method(rpc.request(**fields), metadata=list(metadata), timeout=30)
    return answer


def _note_ids(said: Any, ids: dict[str, set[str]]) -> None:
    if isinstance(said, list):
        for one in said:
            _note_ids(one, ids)
    elif isinstance(said, dict):
        for name, value in said.items():
            if name.endswith("_id") and isinstance(value, str):
                ids[name].add(value)
            _note_ids(value, ids)
