"""What is odd in the source and imported all the same, with what is done about it."""

from __future__ import annotations

from enum import Enum


class Quirk(Enum):
    """A quirk of the source: its code, whether it is `kept` as told or `repaired`, and one sentence."""

    def __init__(self, code: str, action: str, sentence: str) -> None:
        self.code = code
        self.action = action
        self.sentence = sentence

    NO_ITEMS = (
        "no_items",
        "kept",
        "The order has neither items nor money paid: it is placed and closed, and never submitted.",
    )
    ZERO_PAYMENT_WITHOUT_ITEMS = (
        "zero_payment_without_items",
        "kept",
        "The order has payments of 0.00 and no items: the closing event's reason tells them.",
    )
    PAYMENT_WITHOUT_ITEMS = (
        "payment_without_items",
        "repaired",
        "The order was paid and has no items: one line named not-in-source stands for them, worth what was paid.",
    )
    TWO_PRICES = (
        "two_prices",
        "repaired",
        "A product is in the order at several prices: from the second price on its sku carries the price.",
    )
    ZIP_PADDED = ("zip_padded", "repaired", "The zip prefix has lost its leading zeros: padded to five digits.")
    ADDRESS_INCOMPLETE = (
        "address_incomplete",
        "repaired",
        "The customer has no zip prefix, city or state: the field says unknown.",
    )
    BALANCE_ADJUSTED = (
        "balance_adjusted",
        "repaired",
        "Payments differ from items plus freight: the amount due is adjusted to the payments.",
    )
    NO_PAYMENT = (
        "no_payment",
        "repaired",
        "The order's status implies that it was paid, and it has no payments: the amount due is adjusted to zero.",
    )
    ZERO_PAYMENT = ("zero_payment", "kept", "A payment is 0.00: authorised and captured like any other.")
    PAYMENT_SEQUENCE_GAP = (
        "payment_sequence_gap",
        "kept",
        "The payments are not numbered 1 to n: each keeps its number.",
    )
    PAYMENT_NOT_APPROVED = (
        "payment_not_approved",
        "kept",
        "The payments were never approved and the order's status does not imply it: authorised, not captured.",
    )
    APPROVAL_TIME_MISSING = (
        "approval_time_missing",
        "repaired",
        "The order was paid and has no approval time: the purchase time is used.",
    )
    CARRIER_TIME_MISSING = (
        "carrier_time_missing",
        "repaired",
        "The order was shipped and has no carrier time: the latest time known before it is used.",
    )
    DELIVERY_TIME_MISSING = (
        "delivery_time_missing",
        "repaired",
        "The order was delivered and has no delivery time: the latest time known before it is used.",
    )
    STATUS_TIME_UNKNOWN = (
        "status_time_unknown",
        "repaired",
        "The source never tells when an order was invoiced, processed, cancelled or found unavailable: the latest time that "
        "it tells of the order is used.",
    )
    APPROVED_BEFORE_PURCHASE = (
        "approved_before_purchase",
        "kept",
        "The approval time is before the purchase: versions keep the order of events, times stay as told.",
    )
    CARRIER_BEFORE_PURCHASE = (
        "carrier_before_purchase",
        "kept",
        "The carrier time is before the purchase: versions keep the order of events, times stay as told.",
    )
    CARRIER_BEFORE_APPROVAL = (
        "carrier_before_approval",
        "kept",
        "The carrier time is before the approval: versions keep the order of events, times stay as told.",
    )
    DELIVERED_BEFORE_APPROVAL = (
        "delivered_before_approval",
        "kept",
        "The delivery time is before the approval: versions keep the order of events, times stay as told.",
    )
    DELIVERED_BEFORE_CARRIER = (
        "delivered_before_carrier",
        "kept",
        "The delivery time is before the carrier time: versions keep the order of events, times stay as told.",
    )
    CANCELLED_AFTER_SHIPPING = (
        "cancelled_after_shipping",
        "kept",
        "The cancelled order has a carrier time: it is shipped, then cancelled.",
    )
    TIME_WITHOUT_EVENT = (
        "time_without_event",
        "kept",
        "The order has a time that its status leaves no event for, such as a delivery on a cancelled order: the last "
        "event's reason tells it.",
    )
    LOCAL_TIME_SKIPPED = (
        "local_time_skipped",
        "repaired",
        "The clocks skipped this local time when summer time began: read with the offset before the change.",
    )
    LOCAL_TIME_TWICE = (
        "local_time_twice",
        "repaired",
        "The clocks showed this local time twice when summer time ended: the earlier one is taken.",
    )
