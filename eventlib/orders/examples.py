"""One instance of every order event, for the catalogue."""

from __future__ import annotations

from uuid import UUID

from eventlib.events import Event
from eventlib.orders import events as e

EXAMPLES: tuple[Event, ...] = (
    e.OrderPlaced(UUID("7f3c0000-0000-4000-8000-000000000001"), "EUR"),
    e.OrderItemAdded("WIDGET-42", 2, 1499, "customer 7f3c"),
    e.OrderItemRemoved("LAMP-7", "customer 7f3c"),
    e.OrderItemQuantityChanged("WIDGET-42", 3, "support agent s-007"),
    e.OrderCouponApplied("SPRING-10", 300),
    e.OrderCouponRemoved("SPRING-10"),
    e.OrderAddressChanged("Ada Moreau", "12 rue Mercière", "69002", "Lyon", "Rhône", "FR"),
    e.OrderShippingCostSet(490),
    e.OrderSubmitted(4687),
    e.OrderBalanceAdjusted(-200),
    e.PaymentAuthorized("PAY-1", "visa", 4487),
    e.PaymentDeclined("PAY-0", "visa", 4487),
    e.PaymentCaptured("PAY-1", 4487),
    e.OrderInvoiced("INV-2026-100042"),
    e.OrderFulfilmentStarted(),
    e.OrderMarkedUnavailable(),
    e.OrderShipped("Colissimo", "CO1234567890"),
    e.OrderDelivered(),
    e.OrderCancelled("customer 7f3c"),
    e.RefundRequested("REF-1", 1499),
    e.RefundApproved("REF-1", 1499),
)
