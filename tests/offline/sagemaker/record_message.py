"""RecordIO-protobuf as clients make and read it."""

import struct

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MAGIC = 0xCED7230A


def record_class():
    """The message Record of the developer guide, built with Google's own library."""
    file = descriptor_pb2.FileDescriptorProto(name="record.proto", package="aialgs.data", syntax="proto2")
    fields = descriptor_pb2.FieldDescriptorProto

    def add(message, name, number, kind, label=fields.LABEL_OPTIONAL, type_name=None, packed=False):
        field = message.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)
        if packed:
            field.options.packed = True

    tensors = {"Float32": (2, fields.TYPE_FLOAT), "Float64": (3, fields.TYPE_DOUBLE), "Int32": (7, fields.TYPE_INT32)}
    for kind, (_, of) in tensors.items():
        message = file.message_type.add(name=f"{kind}Tensor")
        for name, number, type_ in (
            ("values", 1, of),
            ("keys", 2, fields.TYPE_UINT64),
            ("shape", 3, fields.TYPE_UINT64),
        ):
            add(message, name, number, type_, fields.LABEL_REPEATED, packed=True)
    value = file.message_type.add(name="Value")
    for kind, (number, _) in tensors.items():
        add(value, f"{kind.lower()}_tensor", number, fields.TYPE_MESSAGE, type_name=f".aialgs.data.{kind}Tensor")
    record = file.message_type.add(name="Record")
    for name, number in (("features", 1), ("label", 2)):
        entry = record.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        add(entry, "key", 1, fields.TYPE_STRING)
        add(entry, "value", 2, fields.TYPE_MESSAGE, type_name=".aialgs.data.Value")
        entry_name = f".aialgs.data.Record.{name.title()}Entry"
        add(record, name, number, fields.TYPE_MESSAGE, fields.LABEL_REPEATED, entry_name)
    add(record, "uid", 3, fields.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("aialgs.data.Record"))


def framed(records) -> bytes:
    """The body of a request: messages in RecordIO's frames."""
    content = b""
    for record in records:
        data = record.SerializeToString()
        content += struct.pack("<II", MAGIC, len(data)) + data + b"\0" * (-len(data) % 4)
    return content


def labels(content: bytes) -> list[dict[str, list[float]]]:
    """Of an answer: what each record's label holds."""
    record_type, found, position = record_class(), [], 0
    while position < len(content):
        magic, length = struct.unpack_from("<II", content, position)
        assert magic == MAGIC
        record = record_type.FromString(content[position + 8 : position + 8 + length])
        found.append({name: list(value.float32_tensor.values) for name, value in record.label.items()})
        position += 8 + (length + 3) // 4 * 4
    assert position == len(content)
    return found
