"""The ways to a push service: HTTP, and the log for who only wants to look."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from uuid import UUID

import httpx
import msgspec

from eventlib.errors import PushRefused, PushServiceUnavailable
from eventlib.notification import Notice
from eventlib.stopping import Stop

REFUSALS = {400, 404, 410, 413, 422}
"""Status codes that say something of this push or its recipient alone. Any other error may pass, or has to be mended on our
side, as a wrong token (401); nothing is lost meanwhile. 409 tells that another request with the same key is being worked on
(draft "The Idempotency-Key HTTP Header Field" of the IETF's HTTPAPI working group)."""

ERROR_BYTES = 1024
"""So much of the body of an error is read, and nothing of any other body."""

STOP_S = 3.0
"""How long an answer is still waited for when it is time to stop."""

MOST_RETRY_AFTER_S = 300.0
"""Nobody can have a push wait any longer by one answer."""

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
    """Hands a push to who delivers it.

    Attributes:
        timeout_s: how long that may take at most.
    """

    @property
    def timeout_s(self) -> float: ...

    def send(self, push: Push, stop: Stop) -> None:
        """Hand over one push; when it returns, the other side has it.

        Raises:
            PushRefused: the other side will never take it.
            PushServiceUnavailable: it may have it or not, or takes nothing at present, or it is time to stop.
        """


class LogGateway:
    """Writes every push to the log of the process, and calls that delivered."""

    timeout_s = 1.0

    def send(self, push: Push, stop: Stop) -> None:
        log.info("to %s: %s. %s", push.notice.recipient, push.notice.title, push.notice.body)


class _Answer(msgspec.Struct):
    """What a push service has said so far: nothing while the status is 0. The body is only that of an error."""

    status: int = 0
    reason: str = ""
    retry_after: str = ""
    body: bytes = b""


class HttpGateway:
    """POSTs every push as JSON, with its key in the header `Idempotency-Key`.

    The status line is the answer. The body of a success is never read, so each push has a connection of its own.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 5.0) -> None:
        """Nothing is sent yet.

        Args:
            token: sent as a bearer token.
            timeout_s: for everything from connecting to the end of the answer.
        """
        self.timeout_s = timeout_s
        self._url = httpx.URL(url)
        self._headers = {"User-Agent": "eventlib", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls = httpx.create_ssl_context()

    def send(self, push: Push, stop: Stop) -> None:
        answer = _Answer()
        try:
            asyncio.run(self._within(push, answer, stop))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            if not answer.status:
                # Not what a LocalProtocolError says: it quotes our own headers, the token among them.
                said = (
                    "" if isinstance(error, httpx.LocalProtocolError | UnicodeError) else f" ({readable(str(error))})"
                )
                text = f"{self._shown} does not answer: {type(error).__name__}{said}"
                raise PushServiceUnavailable(text) from None
        if not answer.status:
            raise PushServiceUnavailable(f"{self._shown} does not answer within {self.timeout_s:g} s")
        if 200 <= answer.status < 300:
            return
        body = readable(answer.body[:ERROR_BYTES].decode(errors="replace"))
        said = f"{self._shown} answers {answer.status} {readable(answer.reason)}: {body}"
        if answer.status in REFUSALS:
            raise PushRefused(said)
        raise PushServiceUnavailable(said, _retry_after_s(answer))

    async def _within(self, push: Push, answer: _Answer, stop: Stop) -> None:
        """Wait for the answer as long as the push service may take, and once it is time to stop for a moment only."""
        asking = asyncio.ensure_future(self._ask(push, answer))
        left = self.timeout_s
        while not asking.done() and left > 0:
            left = min(left, STOP_S) if stop else left
            began = time.monotonic()
            await asyncio.wait({asking}, timeout=min(left, 0.1))
            left -= time.monotonic() - began
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking

    async def _ask(self, push: Push, answer: _Answer) -> None:
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
        headers = {**self._headers, "Idempotency-Key": str(push.key)}
        content = msgspec.json.encode(body)
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=self.timeout_s) as client,
            client.stream("POST", self._url, content=content, headers=headers) as said,
        ):
            answer.reason, answer.retry_after = said.reason_phrase, said.headers.get("Retry-After", "")
            answer.status = said.status_code
            if not said.is_success:
                async for part in said.aiter_raw():
                    answer.body += part
                    if len(answer.body) >= ERROR_BYTES:
                        break

    @property
    def _shown(self) -> str:
        return f"the push service at {self._url.host}"


def readable(text: str) -> str:
    """What a stranger has said, on one line that any database and terminal takes.

    >>> readable("no\\x00t\\r\\nnow \\ud800")
    'no t now'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:500]


def _retry_after_s(answer: _Answer) -> float:
    """For how long 429 and 503 ask to be left alone, in seconds or as a date (RFC 9110, section 10.2.3)."""
    if answer.status not in {429, 503}:
        return 0.0
    try:
        if answer.retry_after.strip().isascii() and answer.retry_after.strip().isdigit():
            seconds = float(answer.retry_after)
        else:
            seconds = (parsedate_to_datetime(answer.retry_after).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MOST_RETRY_AFTER_S)
