"""The first messages of a producer to a partition: how they keep their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


class FirstContact:
    """Which partitions have a message of one producer, and which of its messages have to wait until then.

    A broker puts the messages of a producer in order by numbers, but takes any number from one of which a partition has
    nothing yet (KIP-360; from 4.5 on, KAFKA-15591, no longer in a partition that has never held a message). If it refuses a
    first request (a topic that is only just there, a leader that has only just come) and takes the second one a moment
    later, then the first is out of order for good, and librdkafka, which concludes from the later acknowledgement that the
    earlier request had arrived as well, acknowledges what is nowhere.

    Hence an aggregate has one message under way until a partition is known to have one of it, or all partitions have some:
    nothing of it can get past another then.
    """

    def __init__(self, partitions: Mapping[str, int]) -> None:
        """
        Args:
            partitions: how many each topic has. What is not in it has none that was reached.
        """
        self._partitions = partitions
        self._reached: dict[str, set[int]] = defaultdict(set)
        self._complete: set[str] = set()
        self._under_way: set[str] = set()
        self._known: set[str] = set()

    def must_wait(self, topic: str, aggregate_id: str) -> bool:
        """Whether a message of this aggregate is under way and nothing else may be."""
        return topic not in self._complete and aggregate_id in self._under_way

    def sent(self, topic: str, aggregate_id: str) -> None:
        """A message was handed to Kafka."""
        if topic not in self._complete and aggregate_id not in self._known:
            self._under_way.add(aggregate_id)

    def acknowledged(self, topic: str, partition: int, aggregate_id: str) -> None:
        """Kafka has a message, in this partition."""
        if topic in self._complete:
            return
        self._under_way.discard(aggregate_id)
        self._known.add(aggregate_id)
        self._reached[topic].add(partition)
        if len(self._reached[topic]) == self._partitions.get(topic):
            self._complete.add(topic)
