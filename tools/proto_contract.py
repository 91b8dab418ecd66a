"""Whether the .proto files still say what they said: callers and messages of before must be understood.

    proto_contract.py            0 when they do; what is new is not asked for
    proto_contract.py --update   the same, and what is new is written into proto/contract.json (`make proto` does)
    proto_contract.py --break    take the files as they are, and forget what is gone: for what nobody uses yet

`proto/contract.json` is what has been promised. A promise is kept for ever: what leaves a message or an enum leaves its
number and its name behind as `reserved`, so that neither is used again. Renaming counts as breaking: names are in JSON,
in reflection and in callers' sources.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

PROMISED: Final = Path(__file__).resolve().parent.parent / "proto" / "contract.json"
PROTOS: Final = ("fs", "metadata", "search", "thumbnail")
_SCALAR: Final = "TYPE_"
_REPEATED: Final = FieldDescriptorProto.LABEL_REPEATED

#: A message's or enum's members by number, each as what must not change of it.
Members = dict[str, dict[str, Any]]


def main(arguments: list[str]) -> int:
    """1 when a promise is broken; each is told in a line."""
    parser = argparse.ArgumentParser(description="Compare the .proto files with what has been promised.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--update", action="store_true", help="write down what is new")
    what.add_argument("--break", dest="breaks", action="store_true", help="take everything as it is now")
    options = parser.parse_args(arguments)
    said = contract(generated())
    promised: dict[str, Any] = json.loads(PROMISED.read_text(encoding="utf-8")) if PROMISED.exists() else {}
    if not options.breaks and (broken := faults(promised, said)):
        print("the .proto files break what has been promised:", *broken, sep="\n  ", file=sys.stderr)
        return 1
    if options.update or options.breaks:
        kept = {} if options.breaks else promised
        PROMISED.write_text(json.dumps(merged(kept, said), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def generated() -> list[FileDescriptorProto]:
    """The .proto files as their stubs hold them."""
    found = []
    for name in PROTOS:
        file = FileDescriptorProto()
        importlib.import_module(f"media_proto.{name}_pb2").DESCRIPTOR.CopyToProto(file)
        found.append(file)
    return found


def contract(files: Iterable[FileDescriptorProto]) -> dict[str, Any]:
    """What the files promise: messages, enums and services by their full names."""
    said: dict[str, Any] = {"messages": {}, "enums": {}, "services": {}}
    for file in files:
        for enum in file.enum_type:
            said["enums"][f"{file.package}.{enum.name}"] = _enum(enum)
        for message in file.message_type:
            for name, each in _messages(file.package, message):
                said["messages"][name] = _message(each)
                for enum in each.enum_type:
                    said["enums"][f"{name}.{enum.name}"] = _enum(enum)
        for service in file.service:
            methods = {method.name: _method(method) for method in service.method}
            said["services"][f"{file.package}.{service.name}"] = methods
    return said


def faults(promised: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """What callers of the promised contract would trip over, a sentence each, sorted."""
    found: list[str] = []
    for kind, word in (("messages", "field"), ("enums", "value")):
        for name, before in promised.get(kind, {}).items():
            now = said[kind].get(name)
            if now is None:
                found.append(f"{name} is gone; a message or enum that was promised stays")
            else:
                found += _members(f"{name}", word, before, now)
    for name, before in promised.get("services", {}).items():
        now = said["services"].get(name)
        if now is None:
            found.append(f"service {name} is gone")
            continue
        for method, how in before.items():
            if method not in now:
                found.append(f"{name}.{method} is gone; callers would get UNIMPLEMENTED")
            elif now[method] != how:
                found.append(f"{name}.{method} was {how} and is {now[method]}")
    return sorted(found)


def merged(promised: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Both: what is new is promised from now on, what is gone (and reserved) stays written down."""
    whole: dict[str, Any] = {}
    for kind in ("messages", "enums", "services"):
        whole[kind] = dict(promised.get(kind, {}))
        for name, now in said[kind].items():
            before = whole[kind].get(name, {})
            if kind == "services":
                whole[kind][name] = {**before, **now}
            else:
                whole[kind][name] = {"members": {**before.get("members", {}), **now["members"]}}
    return whole


def _members(name: str, word: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    members: Members = now["members"]
    numbers = {member["name"]: number for number, member in members.items()}
    for number, was in before["members"].items():
        member = members.get(number)
        label = f"{name}: {word} {was['name']} = {number}"
        if member is None:
            if not (_is_reserved(int(number), now["reserved_numbers"]) and was["name"] in now["reserved_names"]):
                elsewhere = f" (it is {numbers[was['name']]} now)" if was["name"] in numbers else ""
                yield f'{label} is gone{elsewhere}; write `reserved {number}; reserved "{was["name"]}";`'
        elif member != was:
            changed = ", ".join(
                f"{key} {was.get(key)!r} is {member.get(key)!r}"
                for key in sorted(was.keys() | member.keys())
                if was.get(key) != member.get(key)
            )
            yield f"{label} has changed: {changed}"


def _is_reserved(number: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _messages(package: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    """The message and those inside it."""
    name = f"{package}.{message.name}"
    yield name, message
    for inner in message.nested_type:
        yield from _messages(name, inner)


def _message(message: DescriptorProto) -> dict[str, Any]:
    return {
        "members": {str(field.number): _field(message, field) for field in message.field},
        # Their ends are exclusive; those of an enum are not.
        "reserved_numbers": [(one.start, one.end - 1) for one in message.reserved_range],
        "reserved_names": list(message.reserved_name),
    }


def _field(message: DescriptorProto, field: FieldDescriptorProto) -> dict[str, Any]:
    kind = field.type_name.lstrip(".") or FieldDescriptorProto.Type.Name(field.type).removeprefix(_SCALAR).lower()
    how: dict[str, Any] = {"name": field.name, "type": kind}
    if field.label == _REPEATED:
        how["is"] = "repeated"
    elif field.proto3_optional:
        how["is"] = "optional"  # the one-member oneof that protoc makes of it is not ours
    elif field.HasField("oneof_index"):
        how["oneof"] = message.oneof_decl[field.oneof_index].name
    return how


def _enum(enum: EnumDescriptorProto) -> dict[str, Any]:
    return {
        "members": {str(value.number): {"name": value.name} for value in enum.value},
        "reserved_numbers": [(one.start, one.end) for one in enum.reserved_range],
        "reserved_names": list(enum.reserved_name),
    }


def _method(method: MethodDescriptorProto) -> str:
    asked = ("stream " if method.client_streaming else "") + method.input_type.lstrip(".")
    answered = ("stream " if method.server_streaming else "") + method.output_type.lstrip(".")
    return f"{asked} -> {answered}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
