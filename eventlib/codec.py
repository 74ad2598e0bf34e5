"""Events to and from JSON, strict in both directions: what cannot be read back exactly is never written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from eventlib.errors import InvalidEvent
from eventlib.events import Event, Metadata

MAX_DOCUMENT_BYTES = 256 * 1024
"""The largest event or metadata document, in bytes of JSON. A fact is small; files belong elsewhere."""

T = TypeVar("T", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


def encode_event(event: Event) -> bytes:
    """Encode an event as JSON.

    Raises:
        InvalidEvent: a field has the wrong type or an illegal value, the text holds a NUL or a lone surrogate, or the
            document is larger than `MAX_DOCUMENT_BYTES`.
    """
    return _encode_strictly(event)


def encode_metadata(metadata: Metadata) -> bytes:
    """Encode metadata as JSON, under the same rules as `encode_event`."""
    return _encode_strictly(metadata)


@functools.cache
def decoder_for(kind: type[T]) -> Callable[[str | bytes], T]:
    """The strict JSON decoder of a struct; it raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.Decoder(kind).decode


def storable(text: str) -> str:
    """A text of unknown origin as PostgreSQL can hold it.

    >>> storable("Order\\0Placed")
    'OrderPlaced'
    """
    return text.replace("\0", "").encode(errors="replace").decode()


def _encode_strictly(document: msgspec.Struct) -> bytes:
    name = type(document).__name__
    try:
        encoded = _encode(document)
        # Struct constructors do not check types. Reading back what was just encoded does, and costs about a microsecond.
        if decoder_for(type(document))(encoded) != document:
            raise ValueError("it reads back as something else than was written")
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"{name} was refused: {error}") from None
    if len(encoded) > MAX_DOCUMENT_BYTES:
        raise InvalidEvent(f"{name} was refused: {len(encoded)} bytes of JSON, more than {MAX_DOCUMENT_BYTES} allowed")
    # The escape may also be the text backslash-u0000, which is harmless, so the suspicion is checked character by character.
    if b"\\u0000" in encoded and any("\0" in text for text in _texts(msgspec.json.decode(encoded))):
        raise InvalidEvent(f"{name} was refused: a text in it holds a NUL character, which PostgreSQL cannot store")
    return encoded


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield key
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def refuse_imprecise_fields(kind: type[Event]) -> None:
    """Refuse an event class whose fields could hold what JSON and jsonb would not give back unchanged.

    Raises:
        InvalidEvent: a field, at any depth, is a float, a time without a zone, not typed at all, or of a type whose way
            through JSON is not known to be exact.
    """
    for field in msgspec.structs.fields(kind):
        _refuse_imprecise(msgspec.inspect.type_info(field.type), f"{kind.__name__}.{field.name}", frozenset())


def _refuse_imprecise(info: msgspec.inspect.Type, where: str, seen: frozenset[type]) -> None:
    match info:
        case (
            msgspec.inspect.IntType()
            | msgspec.inspect.StrType()
            | msgspec.inspect.BoolType()
            | msgspec.inspect.NoneType()
            | msgspec.inspect.UUIDType()
            | msgspec.inspect.DateType()
            | msgspec.inspect.DateTimeType(tz=True)
            | msgspec.inspect.EnumType()
            | msgspec.inspect.LiteralType()
        ):
            pass
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            if cls not in seen:
                for field in fields:
                    _refuse_imprecise(field.type, f"{where}.{field.name}", seen | {cls})
        case msgspec.inspect.UnionType(types=types) | msgspec.inspect.TupleType(item_types=types):
            for member in types:
                _refuse_imprecise(member, where, seen)
        case msgspec.inspect.DictType(key_type=msgspec.inspect.StrType(), value_type=value):
            _refuse_imprecise(value, where, seen)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            _refuse_imprecise(item, where, seen)
        case msgspec.inspect.DateTimeType():
            raise InvalidEvent(
                f"{where} is a time that may lack a zone: use Annotated[datetime, msgspec.Meta(tz=True)]"
            )
        case _:
            name = type(info).__name__.removesuffix("Type").lower()
            raise InvalidEvent(
                f"{where} is typed as {name}: use int (minor units), str, bool, UUID, date, datetime with a zone, an enum, "
                "a struct, a list, a tuple, or a dict by str"
            )
