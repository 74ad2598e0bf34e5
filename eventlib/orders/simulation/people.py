"""Who takes part in an order: a customer with devices and a home, support agents, and the services behind the shop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from uuid import UUID

from eventlib.orders.commands import ChangeAddress
from eventlib.orders.simulation import catalog
from eventlib.orders.simulation.catalog import Place
from eventlib.orders.simulation.script import Actor

PAYMENT_SERVICE = Actor("payment service")
WAREHOUSE = Actor("warehouse", catalog.SCANNER)
CARRIER = Actor("carrier", catalog.HANDHELD)
SHOP = Actor("shop")
BILLING = Actor("billing service")


@dataclass(frozen=True)
class Customer:
    """A customer: the same person on a phone and on a tablet."""

    user_id: UUID
    on_phone: Actor
    on_tablet: Actor
    recipient: str
    home: Place

    @property
    def currency(self) -> str:
        return catalog.COUNTRY_CURRENCY.get(self.home.country, "EUR")


def some_customer(rng: random.Random) -> Customer:
    user_id = UUID(int=rng.getrandbits(128), version=4)
    name = f"customer {user_id.hex[:4]}"
    return Customer(
        user_id=user_id,
        on_phone=Actor(name, rng.choice(catalog.PHONES), _some_ip(rng)),
        on_tablet=Actor(name, rng.choice(catalog.TABLETS), _some_ip(rng)),
        recipient=rng.choice(catalog.RECIPIENTS),
        home=rng.choice(catalog.PLACES),
    )


def two_agents(rng: random.Random) -> tuple[Actor, Actor]:
    """Two different support agents: who asks for a refund does not approve it."""
    first, second = rng.sample(range(1, 25), 2)
    return _agent(rng, first), _agent(rng, second)


def address(recipient: str, place: Place) -> ChangeAddress:
    return ChangeAddress(recipient, place.street, place.postal_code, place.city, place.region, place.country)


def some_ticket(rng: random.Random) -> str:
    return f"ticket SUP-{rng.randint(10_000, 99_999)}"


def _agent(rng: random.Random, number: int) -> Actor:
    return Actor(f"support agent s-{number:03}", catalog.SUPPORT_DESK, _some_ip(rng))


def _some_ip(rng: random.Random) -> str:
    return rng.choice(catalog.NETWORKS).format(rng.randint(1, 254))
