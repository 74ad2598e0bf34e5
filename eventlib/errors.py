"""Every error that eventlib raises on purpose. Each message names what was wrong, where, and what to do about it."""

from __future__ import annotations

from uuid import UUID


class EventlibError(Exception):
    """Base of all errors that eventlib raises on purpose; the CLI prints its message without a traceback and exits 1."""


class SettingsError(EventlibError):
    """A setting is unknown, malformed or contradicts another one."""


class ServiceUnavailable(EventlibError):
    """A database or a broker cannot be started or reached."""


class MigrationError(EventlibError):
    """The schema in the database does not follow from the migrations in `sql/migrations`."""


class InvalidEvent(EventlibError, ValueError):
    """An event or its metadata was refused at the door: nothing was written."""


class UnreadableEvent(EventlibError):
    """A stored event, or one received from Kafka, cannot be decoded by the code that reads it."""


class DomainError(EventlibError):
    """A command is illegal in the present state of its aggregate; the message says why."""


class ConcurrencyError(EventlibError):
    """Somebody else appended first.

    Attributes:
        aggregate_id: the contested aggregate.
        expected: the version that the writer had seen.
        actual: the version that the aggregate has now.
    """

    def __init__(self, aggregate_id: UUID, expected: int, actual: int) -> None:
        super().__init__(
            f"aggregate {aggregate_id} is at version {actual}, not at the expected version {expected}: "
            "load it again and decide anew"
        )
        self.aggregate_id = aggregate_id
        self.expected = expected
        self.actual = actual


class DuplicateEvent(EventlibError):
    """An event with the same id is already in the stream: the command that made it was executed before."""


class ProjectionError(EventlibError):
    """A projection, or one aggregate of it, cannot be brought up to date without skipping an event."""


class TableNotReady(ProjectionError):
    """The table of a projection is missing, or another version of its fold has made it: it has to be made anew first."""


class TopicError(EventlibError):
    """What stands in a topic cannot be consumed without skipping an event, and whoever consumed it stopped."""


class PushRefused(EventlibError):
    """The push service will never take this notification, however often it is tried; others it may."""


class PushServiceUnavailable(EventlibError):
    """The push service does not answer, or does not take this push at present: to be tried again.

    Attributes:
        retry_after_s: how long it wants to be left alone, in seconds; 0.0 if it has not said.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PipelineStuck(EventlibError):
    """There is work left between the outbox and the read models, and nothing of it gets done."""


class ImportRefused(EventlibError):
    """The source files of an import cannot be read as what they claim to be; nothing was written."""


class ReportError(EventlibError):
    """A report cannot be run: unknown name, bad parameters, or a notebook that ended without a verdict."""


class CorruptStream(EventlibError):
    """The stored versions of an aggregate are not 1..n: something other than eventlib wrote to the log."""


class CorruptSnapshot(EventlibError):
    """A stored snapshot is not what was once written; whoever loads ignores it and replays the log."""


class SnapshotRefused(EventlibError):
    """A state cannot be kept as a snapshot: a load from it would differ from a replay."""


class StaleCheckpoint(EventlibError):
    """A follower's checkpoint is not of the log that is there now: the log was set back, or is another one."""
