"""The domain that ships with eventlib: a mobile shop's orders. A client of eventlib like any user's own domain."""

from eventlib.aggregate import Aggregate
from eventlib.orders.commands import Command
from eventlib.orders.decide import decide
from eventlib.orders.events import EVENTS
from eventlib.orders.examples import EXAMPLES
from eventlib.orders.order import Order, evolve
from eventlib.orders.upcasters import UPCASTERS

ORDER: Aggregate[Order, Command] = Aggregate(
    "order",
    initial=Order,
    decide=decide,
    evolve=evolve,
    events=EVENTS,
    upcasters=UPCASTERS,
    examples=EXAMPLES,
)
