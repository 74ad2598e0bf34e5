"""The read models of orders: what was there from the beginning, and one for each screen of a mobile app."""

from eventlib.orders.projections.my_orders import MY_ORDERS
from eventlib.orders.projections.order_projections import ORDER_PROJECTIONS
from eventlib.orders.projections.order_tracking import ORDER_TRACKING
from eventlib.orders.projections.support_orders import SUPPORT_ORDERS

PROJECTIONS = (ORDER_PROJECTIONS, MY_ORDERS, ORDER_TRACKING, SUPPORT_ORDERS)

__all__ = ["MY_ORDERS", "ORDER_PROJECTIONS", "ORDER_TRACKING", "PROJECTIONS", "SUPPORT_ORDERS"]
