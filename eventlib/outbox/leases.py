"""Which relay publishes which shard: leases by the database's clock, each change of owner in a new epoch.

A relay shows that it is alive, and takes as many shards as are its share among those that are alive. One that was killed
loses its shards when their leases run out. One that was suspended for so long finds by its own clock, before it goes on,
that they may be another's; and the epoch keeps it from forgetting rows that are another's to publish.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from uuid import uuid4

from eventlib.store.connection import Connection
from eventlib.store.queries import query

SHARDS = 64
LEASE_S = 3.0
"""For how long a relay owns a shard without saying anything; what a hand-over after a SIGKILL takes at most."""

RENEW_S = 0.75

log = logging.getLogger(__name__)


class Leases:
    """The shards of one relay."""

    def __init__(self, connection: Connection, lease_s: float = LEASE_S) -> None:
        self.relay = uuid4()
        self.epochs: dict[int, int] = {}
        """The epoch of every shard that is owned, by shard."""
        self.surplus: set[int] = set()
        """Shards that are owned and are others' share: to be let go as soon as nothing of them is under way."""
        self.any_held = True
        self.publisher = "relay"
        """Who publishes: the relays, or change data capture (`cdc`), and then no relay has a share."""
        self._connection = connection
        self._lease_s = lease_s
        self._place = f"{socket.gethostname()} process {os.getpid()}"
        self._owned_until = 0.0
        self._renewed = -math.inf

    @property
    def due(self) -> bool:
        """Whether it is time to say that one is alive."""
        return time.monotonic() - self._renewed >= RENEW_S * self._lease_s / LEASE_S

    @property
    def lost(self) -> bool:
        """Whether so much time has passed that the shards may be another's by now."""
        return bool(self.epochs) and time.monotonic() >= self._owned_until

    @property
    def publishable(self) -> list[int]:
        """The shards of which new rows may be published."""
        return sorted(self.epochs.keys() - self.surplus)

    def renew(self, published: int, error: str | None) -> bool:
        """Say that one is alive, prolong the leases, take what is one's share.

        Args:
            published: messages that this relay has published in all.
            error: what went wrong since the last time.

        Returns:
            Whether the shards are others, or in another epoch, than before.
        """
        if self._renewed == -math.inf:  # at the start: who is killed again and again never comes to an orderly end
            self._connection.execute(query("relays_forget"))
        before = dict(self.epochs)
        began = time.monotonic()
        lease = {"relay": self.relay, "ttl": self._lease_s}
        said = {**lease, "place": self._place, "published": published, "error": error}
        alive, self.publisher, self.any_held = self._connection.execute(query("relay_heartbeat"), said).fetchall()[0]
        self.epochs = dict(self._connection.execute(query("relay_renew"), lease).fetchall())
        share = math.ceil(SHARDS / alive) if self.publisher == "relay" else 0
        if len(self.epochs) < share:
            wanted = {**lease, "limit": share - len(self.epochs)}
            self.epochs.update(self._connection.execute(query("relay_acquire"), wanted).fetchall())
        # The highest ones, so that it is the same ones each time it is asked.
        self.surplus = set(sorted(self.epochs)[share:])
        self._owned_until, self._renewed = began + self._lease_s, began
        if len(before) != len(self.epochs):
            log.info("publishing %d of %d shards; %d relays are alive", len(self.epochs), SHARDS, alive)
        return before != self.epochs

    def release_surplus(self) -> None:
        """Let go of what is others' share."""
        given = sorted(self.surplus)
        self._connection.execute(query("relay_release"), {"relay": self.relay, "shards": given})
        for shard in given:
            del self.epochs[shard]
        self.surplus = set()
        log.info("publishing %d of %d shards", len(self.epochs), SHARDS)

    def leave(self) -> None:
        """Let go of everything."""
        self._connection.execute(query("relay_leave"), {"relay": self.relay})
        self.epochs, self.surplus = {}, set()
