"""The cart as on a receipt."""

from __future__ import annotations

from dataclasses import dataclass

from eventlib.orders.money import amount, money
from eventlib.orders.order import Order


@dataclass(frozen=True)
class ReceiptLine:
    """One line; `key` finds the same line again on another receipt."""

    key: str
    label: str
    value: str


def receipt(order: Order) -> list[ReceiptLine]:
    """The lines of the cart, coupon, shipping and adjustment, and the total at the end."""
    currency = order.currency
    lines = [
        ReceiptLine(
            f"line {sku}", f"{sku} × {line.quantity:,}", amount(line.quantity * line.unit_price_cents, currency)
        )
        for sku, line in order.lines.items()
    ]
    if order.coupon:
        lines.append(ReceiptLine("coupon", f"Coupon {order.coupon.code}", amount(-order.discount_cents, currency)))
    if order.shipping_cents:
        lines.append(ReceiptLine("shipping", "Shipping", amount(order.shipping_cents, currency)))
    if order.adjustment_cents:
        lines.append(ReceiptLine("adjustment", "Adjustment", amount(order.adjustment_cents, currency)))
    return [*lines, ReceiptLine("total", "Total", money(order.total_cents, currency))]
