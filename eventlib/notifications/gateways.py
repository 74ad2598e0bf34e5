"""The ways to a push service: HTTP, and the log for who only wants to look."""

from __future__ import annotations

import logging
from typing import Protocol
from uuid import UUID

import httpx
import msgspec

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notification import Notice

REFUSALS = {400, 410, 413, 422}
"""Status codes that say something of this push alone. Any other error may pass, or has to be mended on our side, as a wrong
token (401) or address (404); nothing is lost meanwhile. 409 tells that another request with the same key is being worked
on (draft "The Idempotency-Key HTTP Header Field" of the IETF's HTTPAPI working group)."""

log = logging.getLogger(__name__)


class Push(msgspec.Struct, frozen=True):
    """One notice of one event for one recipient.

    Attributes:
        key: the same whenever this push is sent again, and of no other one.
    """

    key: UUID
    notice: Notice
    aggregate_type: str
    aggregate_id: UUID
    version: int
    event_type: str


class Gateway(Protocol):
    """Hands a push to who delivers it."""

    def send(self, push: Push) -> None:
        """Hand over one push; when it returns, the other side has it.

        Raises:
            PushRefused: the other side will never take it.
            PushServiceUnavailable: it may have it or not, or takes nothing at present.
        """


class LogGateway:
    """Writes every push to the log of the process, and calls that delivered."""

    def send(self, push: Push) -> None:
        log.info("to %s: %s. %s", push.notice.recipient, push.notice.title, push.notice.body)


class HttpGateway:
    """POSTs every push as JSON, with its key in the header `Idempotency-Key`."""

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 5.0) -> None:
        """Nothing is sent yet.

        Args:
            token: sent as a bearer token.
            timeout_s: for connecting, for sending and for the answer, each.
        """
        self._url = url
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=timeout_s, headers={"User-Agent": "eventlib", **authorization})

    def send(self, push: Push) -> None:
        body = {
            "recipient": push.notice.recipient,
            "title": push.notice.title,
            "body": push.notice.body,
            "data": {
                "aggregate_type": push.aggregate_type,
                "aggregate_id": push.aggregate_id,
                "version": push.version,
                "event_type": push.event_type,
            },
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(push.key)}
        try:
            answer = self._client.post(self._url, content=msgspec.json.encode(body), headers=headers)
        except httpx.HTTPError as error:
            raise PushServiceUnavailable(f"{self._shown} does not answer: {error!r}") from None
        if not answer.is_success:
            said = f"{self._shown} answers {answer.status_code} {answer.reason_phrase}: {answer.text[:200]}"
            raise (PushRefused if answer.status_code in REFUSALS else PushServiceUnavailable)(said)

    @property
    def _shown(self) -> str:
        return f"the push service at {httpx.URL(self._url).host}"
