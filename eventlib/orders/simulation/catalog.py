"""The invented shop: what it sells, to whom, and in whose words things are explained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """Something for sale.

    Attributes:
        sku: what events call it.
        price_cents: of one piece.
        regrets: why customers take it out of the cart again.
    """

    sku: str
    price_cents: int
    regrets: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    street: str
    postal_code: str
    city: str
    region: str
    country: str


PRODUCTS = (
    Product("LAMP-ARC-BRASS", 18900, ("too bright", "too tall for the corner")),
    Product("LAMP-DESK-LED", 4990, ("too bright", "the light is too cold")),
    Product("BULB-E27-WARM", 790, ("have some left in the cellar", "wrong socket")),
    Product("KETTLE-STEEL-1L7", 3995, ("found it cheaper", "ours was repaired")),
    Product("MUG-STONEWARE-GREY", 1250, ("ordered twice by mistake", "want the blue one")),
    Product("HEADPHONES-OVER-EAR", 12900, ("reviews say they are tight", "found it cheaper")),
    Product("CHARGER-USBC-65W", 3490, ("one came with the laptop", "too heavy for travelling")),
    Product("CABLE-USBC-2M", 990, ("ordered twice by mistake", "too long")),
    Product("BACKPACK-CITY-22L", 7450, ("too small for the laptop", "want it in green")),
    Product("RUNNING-SHOE-42", 9995, ("wrong size", "one size too small")),
    Product("RUNNING-SOCKS-3PACK", 1490, ("wrong size", "only needed the shoes")),
    Product("YOGA-MAT-6MM", 2790, ("smells of rubber, says my sister", "found it cheaper")),
    Product("COFFEE-BEANS-1KG", 1890, ("still have a bag", "too dark a roast")),
    Product("GRINDER-CONICAL", 15900, ("too loud for mornings", "over budget this month")),
    Product("PLANT-MONSTERA-L", 4490, ("no sunny place left", "the cat eats leaves")),
    Product("POT-TERRACOTTA-24", 1690, ("too big for the sill", "changed my mind")),
    Product("NOTEBOOK-A5-DOTTED", 1190, ("wanted it lined", "ordered twice by mistake")),
    Product("PEN-GEL-BLACK-10", 1290, ("the office has some", "wanted blue ones")),
)

COUPONS = (("WELCOME10", 1000), ("SPRING5", 500), ("SORRY-15", 1500), ("NEWSLETTER3", 300), ("FRIENDS20", 2000))

SHIPPING_CENTS = (0, 390, 490, 490, 690, 1290)

RECIPIENTS = (
    "Ada Lindqvist",
    "Tomasz Zieliński",
    "Noor van Dijk",
    "Léa Fournier",
    "Jonas Aebischer",
    "Ines Carvalho",
    "Mirko Horvat",
    "Greta Oberhauser",
    "Siobhán Keane",
    "Yusuf Demir",
    "Klára Nováková",
    "Elio Marchetti",
)

PLACES = (
    Place("Gartenweg 12", "8004", "Zürich", "ZH", "CH"),
    Place("Lindenallee 48", "10119", "Berlin", "BE", "DE"),
    Place("Rue des Tanneurs 7", "67000", "Strasbourg", "Grand Est", "FR"),
    Place("Via dei Mille 31", "10123", "Torino", "TO", "IT"),
    Place("Prinsengracht 902", "1017 KH", "Amsterdam", "NH", "NL"),
    Place("Rua das Flores 115", "4050-262", "Porto", "", "PT"),
    Place("Storgatan 3", "211 42", "Malmö", "Skåne", "SE"),
    Place("Ulica Długa 26", "31-146", "Kraków", "małopolskie", "PL"),
    Place("Neugasse 5", "1070", "Wien", "W", "AT"),
    Place("Capel Street 88", "D01 W5P2", "Dublin", "Leinster", "IE"),
)

COUNTRY_CURRENCY = {"CH": "CHF", "SE": "SEK", "PL": "PLN"}
"""Of the countries that do not pay in EUR."""

PHONES = (
    "iOS 17.4, app 5.12.1",
    "iOS 17.6, app 5.13.0",
    "iOS 18.1, app 5.13.2",
    "Android 13, app 5.11.4",
    "Android 14, app 5.12.1",
    "Android 15, app 5.13.2",
)
TABLETS = ("iPadOS 17.5, app 5.12.1", "Android 14 tablet, app 5.12.0")
SUPPORT_DESK = "support desk 3.4"
SCANNER = "warehouse scanner 2.9"
HANDHELD = "carrier handheld 7.1"

NETWORKS = ("192.0.2.{}", "198.51.100.{}", "203.0.113.{}", "2001:db8:{:x}::17")
"""Addresses that are set aside for documentation (RFC 5737, RFC 3849)."""

CARDS = ("visa", "mastercard", "apple_pay", "google_pay", "paypal")
DECLINES = (
    "insufficient funds",
    "3-D Secure was not confirmed in time",
    "the card has expired",
    "the issuer did not answer",
)
CARRIERS = ("DHL", "PostNord", "DPD", "Swiss Post", "GLS")
CART_FAREWELLS = ("found it cheaper", "just looking", "will wait for the sale", "shipping takes too long")
ORDER_FAREWELLS = (
    "found it cheaper",
    "ordered the wrong size",
    "my partner bought it already",
    "delivery would be after the birthday",
)
WHOLE_REFUNDS = ("never worked", "not as pictured", "arrived after the birthday", "broken on arrival")
PARTIAL_REFUNDS = ("a scratch on the base", "one piece was missing", "the box was torn", "arrived a week late")
LATE_SCANS = ("the handheld was offline", "the depot uploaded its scans late", "no signal on the route")
"""What a carrier says when a delivery is reported hours after it happened."""
