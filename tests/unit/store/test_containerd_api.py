"""The .proto files are read as protobuf's own compiler reads them; what is beyond our subset is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from builder.store import containerd
from builder.store.containerd import methods, schema
from builder.store.containerd.protofile import InvalidProto, read_proto

API = Path(containerd.__file__).with_name("api")


def without_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    # The compiler writes them down, everybody else derives them.
    for message in file.message_type:
        for holder in (message, *message.nested_type):
            for field in holder.field:
                field.ClearField("json_name")
    return file


def test_every_file_means_what_the_real_compiler_says(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    output = tmp_path / "compiled"
    compiler = [sys.executable, "-m", "grpc_tools.protoc", f"-I{API}", f"--descriptor_set_out={output}"]
    subprocess.run([*compiler, *sorted(API.iterdir())], check=True)
    compiled = FileDescriptorSet.FromString(output.read_bytes()).file
    assert {file.name for file in compiled} == {path.name for path in API.iterdir()}
    for file in compiled:
        ours = FileDescriptorProto()
        schema._pool().FindFileByName(file.name).CopyToProto(ours)
        assert ours == without_json_names(file)


def test_every_method_that_is_called_is_in_the_files() -> None:
    called = [value for value in vars(methods).values() if isinstance(value, methods.Method)]
    assert len(called) > 20
    for method in called:
        assert schema.messages_of(method).request().IsInitialized()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("option go_package = 1;", "no statement begins with 'option'"),
        ("message A { string a = 1; ", "ends in the middle of a statement"),
        ("message A { string a 1; }", "expected '=', found '1'"),
        ("service A { option b = 1; }", "expected 'rpc', found 'option'"),
        ("message A {\n  string a = 1 [deprecated];\n}", r":2: cannot read '\[depre"),
    ],
)
def test_what_is_beyond_the_subset_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(InvalidProto, match=f"file.proto.*{reason}"):
        read_proto("file.proto", text)
