"""What Google's own Python library makes of records, for protobuf_test.c, which writes them.

    protobuf_peers.py FOLDER

For each FOLDER/N.proto there is FOLDER/N.in, pairs of records of its message M0: one of any kind, and what it was written as again. FOLDER/N.out
gets a byte for each pair, 0: the first one cannot be read, 1: they are the same, 2: they differ; and behind it the first one as this library
writes it. Records stand behind their length, four bytes, the least first."""
import os
import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from grpc_tools import protoc
import grpc_tools

CONFLUENT = {
    "confluent/meta.proto":
        'syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto"; message Meta { string doc = 1; '
        'map<string, string> params = 2; } extend google.protobuf.FieldOptions { Meta field_meta = 1088; }',
    "confluent/type/decimal.proto":
        'syntax = "proto3"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }',
    "confluent/type/variant.proto":
        'syntax = "proto3"; package confluent.type; message Variant { bytes metadata = 1; bytes value = 2; }',
    "google/type/date.proto":
        'syntax = "proto3"; package google.type; message Date { int32 year = 1; int32 month = 2; int32 day = 3; }',
}
folder = sys.argv[1]
for name, text in CONFLUENT.items():
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "w") as f:
        f.write(text)
include = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")


def message_class(name):
    out = os.path.join(folder, name + ".desc")
    arguments = ["protoc", f"-I{folder}", f"-I{include}", "--include_imports", f"--descriptor_set_out={out}",
                 os.path.join(folder, name + ".proto")]
    if protoc.main(arguments) != 0:
        sys.exit(f"{name}.proto cannot be compiled")
    files = descriptor_pb2.FileDescriptorSet()
    with open(out, "rb") as f:
        files.ParseFromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("M0"))


def read(kind, data):
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    if not message.IsInitialized():
        return None
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True)


def records(path):
    with open(path, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        (n,) = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + n]
        at += 4 + n


for proto in sorted(os.listdir(folder)):
    name, ending = os.path.splitext(proto)
    if ending != ".proto":
        continue
    kind = message_class(name)
    pairs = records(os.path.join(folder, name + ".in"))
    with open(os.path.join(folder, name + ".out"), "wb") as out:
        for first in pairs:
            one, two = read(kind, first), read(kind, next(pairs))
            verdict = b"\0" if one is None else b"\1" if one == two else b"\2"
            one = one or b""
            out.write(verdict + struct.pack("<I", len(one)) + one)
