"""Lively orders for demonstrations and tests: the same seed gives the same orders, to the last byte of their events.

A story (`story`, `hot_order`) plays an order in memory, against the order domain itself, into a plan: who sends which
command, when, how often, and against whom. `simulate` then sends the plans of many orders, interleaved, to a real store.
"""

from eventlib.orders.simulation.simulate import DEFAULT_EPOCH, plans, simulate
from eventlib.orders.simulation.summary import SimulationSummary

__all__ = ["DEFAULT_EPOCH", "SimulationSummary", "plans", "simulate"]
