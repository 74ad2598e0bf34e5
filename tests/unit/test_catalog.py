"""The catalogue has every shape that the log may hold."""

from __future__ import annotations

import msgspec

from eventlib.catalog import CatalogEntry, catalog
from eventlib.codec import decoder_for, encode_event
from eventlib.orders import ORDER

ENTRIES = catalog(ORDER)


def test_every_shape_is_in_it_once() -> None:
    shapes = [(entry.event_type, entry.schema_version) for entry in ENTRIES]
    today = {(kind.__name__, kind.schema_version) for kind in ORDER.events}
    old = {(upcaster.event_type, upcaster.schema_version) for upcaster in ORDER.upcasters}
    assert set(shapes) == today | old and len(shapes) == len(set(shapes))


def test_every_event_of_today_has_an_example_that_could_be_stored() -> None:
    assert {type(example) for example in ORDER.examples} == set(ORDER.events)
    for example in ORDER.examples:
        assert decoder_for(type(example))(encode_event(example)) == example


def test_schema_and_example_name_the_same_fields() -> None:
    for entry in ENTRIES:
        if not entry.is_old:
            definition = entry.json_schema["$defs"][entry.event_type]
            assert set(definition["properties"]) == set(entry.example)
            assert set(definition["required"]) == set(entry.example)


def test_an_old_shape_says_what_it_is_read_as_and_why() -> None:
    (checked_out,) = [entry for entry in ENTRIES if entry.event_type == "OrderCheckedOut"]
    assert checked_out.is_old and "pilot" in checked_out.description
    assert [one.event_type for one in checked_out.becomes] == ["OrderShippingCostSet", "OrderSubmitted"]
    first, second = [entry for entry in ENTRIES if entry.event_type == "OrderCancelled"]
    assert (first.schema_version, first.is_old, second.schema_version, second.is_old) == (1, True, 2, False)


def test_it_goes_through_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(ENTRIES), type=list[CatalogEntry]) == ENTRIES
