"""Why an order, or a row that belongs to no order, is not imported."""

from __future__ import annotations

from enum import Enum


class Refusal(Enum):
    """A reason: its code and one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        self.sentence = sentence

    BAD_ID = ("bad_id", "An id is not 32 lower-case hexadecimal digits.")
    REPEATED_ORDER = ("repeated_order", "The order id is on several lines of the orders file.")
    REPEATED_CUSTOMER = ("repeated_customer", "The order's customer is on several lines of the customers file.")
    UNKNOWN_CUSTOMER = ("unknown_customer", "The order's customer is not in the customers file.")
    UNKNOWN_STATUS = ("unknown_status", "The order's status is none that the source is known to have.")
    BAD_TIMESTAMP = ("bad_timestamp", "A timestamp cannot be read.")
    BAD_AMOUNT = ("bad_amount", "An amount is not a decimal of at least 0 with at most two decimals.")
    BAD_NUMBER = ("bad_number", "An item's or a payment's number is not a whole number from 1.")
    BAD_ZIP = ("bad_zip", "The customer's zip prefix is not one to five digits.")
    MISSING_VALUE = ("missing_value", "A value that the order cannot do without is empty.")
    REPEATED_ITEM = ("repeated_item", "An item's number occurs twice in the order.")
    REPEATED_PAYMENT = ("repeated_payment", "A payment's number occurs twice in the order.")
    NOTHING_TO_SUBMIT = (
        "nothing_to_submit",
        "The order has neither items nor money paid, and its status implies that it was submitted.",
    )
    NOT_REPRESENTABLE = ("not_representable", "The order domain refuses a step of this history.")
    DIFFERS = ("differs", "The log has this order already, with another history: the log is left as it is.")
    ITEM_WITHOUT_ORDER = ("item_without_order", "An item's order is not in the orders file.")
    PAYMENT_WITHOUT_ORDER = ("payment_without_order", "A payment's order is not in the orders file.")
    CUSTOMER_WITHOUT_ORDER = ("customer_without_order", "A customer has no order in the orders file.")


class OrderRefused(Exception):
    """One order cannot be imported; the others can.

    Attributes:
        refusal: why.
        detail: where and what, such as a file's line and the value found there.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"{refusal.sentence} {detail}")
        self.refusal = refusal
        self.detail = detail
