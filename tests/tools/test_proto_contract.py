"""What breaks callers of yesterday's contract is told, and nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import proto_contract
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

BEFORE = """
syntax = "proto3";
package a.v1;
service Things {
  rpc Get(Ask) returns (Thing);
  rpc Follow(Ask) returns (stream Thing);
}
message Ask { bytes path = 1; }
message Thing {
  int64 size = 1;
  repeated string names = 2;
  optional int32 width = 3;
  oneof face { string id = 4; bytes path = 5; }
  map<string, int64> counts = 6;
  Kind kind = 7;
  enum Kind { KIND_UNSPECIFIED = 0; KIND_IMAGE = 1; }
  message Part { int32 number = 1; }
}
"""


@pytest.fixture
def compiled(tmp_path: Path) -> Any:
    def compile_(text: str) -> list[FileDescriptorProto]:
        (tmp_path / "a.proto").write_text(text)
        out = tmp_path / "a.bin"
        assert protoc.main(["protoc", f"-I{tmp_path}", f"--descriptor_set_out={out}", "a.proto"]) == 0, text
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)

    return compile_


def faults(compiled: Any, *changes: tuple[str, str]) -> list[str]:
    """Of the contract with these parts of its text replaced."""
    text = BEFORE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    promised = proto_contract.merged({}, proto_contract.contract(compiled(BEFORE)))
    # As it is read back from its file.
    return proto_contract.faults(json.loads(json.dumps(promised)), proto_contract.contract(compiled(text)))


def test_the_same_contract_breaks_nothing(compiled: Any) -> None:
    assert faults(compiled) == []


@pytest.mark.parametrize(
    "change",
    [
        ("int64 size = 1;", "int64 size = 1; string title = 8;"),
        ("KIND_IMAGE = 1;", "KIND_IMAGE = 1; KIND_VIDEO = 2;"),
        ("rpc Get(Ask)", "rpc Put(Ask) returns (Thing); rpc Get(Ask)"),
        ("message Ask", "message Other { int32 a = 1; } message Ask"),
        ("int32 number = 1;", 'reserved 1; reserved "number"; int32 place = 2;'),
        ("KIND_IMAGE = 1;", 'reserved 1; reserved "KIND_IMAGE"; KIND_VIDEO = 2;'),
        ("int32 number = 1;", 'reserved 1 to 5; reserved "number";'),
    ],
)
def test_what_is_added_or_leaves_its_number_and_name_behind_breaks_nothing(
    compiled: Any, change: tuple[str, str]
) -> None:
    assert faults(compiled, change) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("int64 size = 1;", "")], 'a.v1.Thing: field size = 1 is gone; write `reserved 1; reserved "size";`'),
        ([("int64 size = 1;", "reserved 1;")], "field size = 1 is gone"),
        ([("int64 size = 1;", 'reserved "size";')], "field size = 1 is gone"),
        ([("int64 size = 1;", "int64 size = 8;")], "field size = 1 is gone (it is 8 now)"),
        ([("int64 size = 1;", "int64 bytes = 1;")], "field size = 1 has changed: name 'size' is 'bytes'"),
        ([("int64 size = 1;", "int32 size = 1;")], "field size = 1 has changed: type 'int64' is 'int32'"),
        ([("int64 size = 1;", "string size = 1;")], "type 'int64' is 'string'"),
        ([("int64 size = 1;", "repeated int64 size = 1;")], "is None is 'repeated'"),
        ([("int64 size = 1;", "optional int64 size = 1;")], "is None is 'optional'"),
        ([("optional int32 width", "int32 width")], "is 'optional' is None"),
        ([("repeated string names", "string names")], "is 'repeated' is None"),
        ([("string id = 4; bytes path = 5;", "string id = 4;"), ("int64 size", "bytes path = 5; int64 size")], "oneof"),
        ([("map<string, int64>", "map<string, int32>")], "a.v1.Thing.CountsEntry: field value = 2 has changed"),
        ([("Kind kind = 7;", "int32 kind = 7;")], "type 'a.v1.Thing.Kind' is 'int32'"),
        ([("KIND_IMAGE = 1;", "")], "a.v1.Thing.Kind: value KIND_IMAGE = 1 is gone"),
        ([("KIND_IMAGE = 1;", "KIND_PICTURE = 1;")], "name 'KIND_IMAGE' is 'KIND_PICTURE'"),
        ([("KIND_IMAGE = 1;", "KIND_IMAGE = 2;")], "value KIND_IMAGE = 1 is gone (it is 2 now)"),
        ([("message Part { int32 number = 1; }", "")], "a.v1.Thing.Part is gone"),
        ([("rpc Get(Ask) returns (Thing);", "")], "a.v1.Things.Get is gone"),
        ([("rpc Get(Ask)", "rpc Get(Thing)")], "a.v1.Things.Get was a.v1.Ask -> a.v1.Thing and is"),
        ([("returns (stream Thing)", "returns (Thing)")], "a.v1.Things.Follow was a.v1.Ask -> stream a.v1.Thing"),
        ([("rpc Get(Ask)", "rpc Get(stream Ask)")], "and is stream a.v1.Ask"),
        ([("service Things", "service Objects")], "service a.v1.Things is gone"),
        ([("package a.v1;", "package a.v2;")], "service a.v1.Things is gone"),
    ],
)
def test_what_breaks_a_caller_is_told(compiled: Any, changes: list[tuple[str, str]], told: str) -> None:
    found = faults(compiled, *changes)
    assert any(told in one for one in found), found


def test_a_number_that_was_given_up_is_never_used_again(compiled: Any) -> None:
    promised = proto_contract.merged({}, proto_contract.contract(compiled(BEFORE)))
    given_up = BEFORE.replace("int64 size = 1;", 'reserved 1; reserved "size";')
    promised = proto_contract.merged(promised, proto_contract.contract(compiled(given_up)))
    again = proto_contract.contract(compiled(BEFORE.replace("int64 size = 1;", "string title = 1;")))
    assert any("field size = 1 has changed" in one for one in proto_contract.faults(promised, again))


def test_what_is_new_is_promised_from_then_on(compiled: Any) -> None:
    promised = proto_contract.merged({}, proto_contract.contract(compiled(BEFORE)))
    wider = proto_contract.contract(compiled(BEFORE.replace("int64 size = 1;", "int64 size = 1; string title = 8;")))
    promised = proto_contract.merged(promised, wider)
    assert any(
        "title = 8 is gone" in one for one in proto_contract.faults(promised, proto_contract.contract(compiled(BEFORE)))
    )


def test_the_products_contract_keeps_its_promises_and_all_of_it_is_promised() -> None:
    said = proto_contract.contract(proto_contract.generated())
    promised = json.loads(proto_contract.PROMISED.read_text(encoding="utf-8"))
    assert proto_contract.faults(promised, said) == []
    assert json.loads(json.dumps(proto_contract.merged(promised, said))) == promised, "run `make proto`"
    named = {file.stem for file in proto_contract.PROMISED.parent.glob("*.proto")}
    assert named == set(proto_contract.PROTOS)


def test_the_command_tells_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    file = tmp_path / "contract.json"
    promised = json.loads(proto_contract.PROMISED.read_text(encoding="utf-8"))
    promised["services"]["framewell.fs.v1.FsService"]["Leave"] = "a -> b"
    file.write_text(json.dumps(promised))
    monkeypatch.setattr(proto_contract, "PROMISED", file)
    before = file.read_text()

    assert proto_contract.main(["--update"]) == 1
    assert "framewell.fs.v1.FsService.Leave is gone" in capsys.readouterr().err
    assert file.read_text() == before

    assert proto_contract.main(["--break"]) == 0
    assert "Leave" not in file.read_text()
    assert proto_contract.main([]) == 0


def test_it_runs_by_itself() -> None:
    ran = subprocess.run([sys.executable, proto_contract.__file__], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
