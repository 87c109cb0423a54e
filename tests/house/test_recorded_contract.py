"""What clients rely on stays: every field, enum value and method that was ever recorded, whichever file declares it.

``recorded_contract.txt`` has one line for each, under full names. Lines are added (run this file as a module to have
the new ones appended) and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, ServiceDescriptor

from tests.support.contract import contract_files

RECORDED = Path(__file__).with_name("recorded_contract.txt")
_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in vars(FieldDescriptor).items() if name[:5] == "TYPE_"
}


def contract() -> set[str]:
    """The contract as it is now, a line for each thing that clients rely on."""
    return {
        line
        for file in contract_files()
        for lines in (
            *map(_message, file.message_types_by_name.values()),
            *map(_enum, file.enum_types_by_name.values()),
            *map(_service, file.services_by_name.values()),
        )
        for line in lines
    }


def _message(message: Descriptor) -> Iterator[str]:
    yield f"message {message.full_name}"
    for field in message.fields:
        named = field.message_type or field.enum_type
        group = f" in {field.containing_oneof.name}" if field.containing_oneof else ""
        label = "repeated " if field.is_repeated else ""
        kind = f"{_TYPES[field.type]} {named.full_name}" if named else _TYPES[field.type]
        yield f"field {field.full_name} = {field.number}: {label}{kind}{group}"
    for nested in message.nested_types:
        yield from _message(nested)
    for enum in message.enum_types:
        yield from _enum(enum)


def _enum(enum: EnumDescriptor) -> Iterator[str]:
    for value in enum.values:
        yield f"value {enum.full_name}.{value.name} = {value.number}"


def _service(service: ServiceDescriptor) -> Iterator[str]:
    for method in service.methods:
        asks, answers = method.input_type.full_name, method.output_type.full_name
        streams = "stream " if method.server_streaming else ""
        assert not method.client_streaming
        yield f"method {method.full_name}: {asks} -> {streams}{answers}"


def test_nothing_that_clients_rely_on_has_gone_or_changed():
    recorded = set(RECORDED.read_text().splitlines())
    assert len(recorded) > 1000
    assert sorted(recorded - contract()) == []


if __name__ == "__main__":
    recorded = RECORDED.read_text().splitlines() if RECORDED.exists() else []
    RECORDED.write_text("\n".join([*recorded, *sorted(contract() - set(recorded))]) + "\n")
