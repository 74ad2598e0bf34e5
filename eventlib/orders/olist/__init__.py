"""Import of the public Olist order files: a marketplace's real orders, told again as events.

The files are read and checked (`source`), one order's rows become typed values (`source_order`), these become a history
that the order domain itself has agreed to (`history`), and each history is appended in one transaction (`importer`).
"""

from eventlib.orders.olist.importer import import_orders
from eventlib.orders.olist.source import OlistSource, read_source
from eventlib.orders.olist.summary import ImportSummary

__all__ = ["ImportSummary", "OlistSource", "import_orders", "read_source"]
