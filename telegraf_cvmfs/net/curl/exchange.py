"""One request on one handle of libcurl, and what has come of its answer; what is too much ends it. Without sockets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import pycurl

from telegraf_cvmfs.model import Answer, FetchError, Result
from telegraf_cvmfs.net.answer import (
    ERROR_PAGE,
    ERROR_PAGE_TIME,
    MAX_HEAD,
    MAX_REDIRECTS,
    MOST_HEADERS,
    cut_short,
    not_http,
    number,
    redirected,
    too_large,
    too_often_redirected,
)
from telegraf_cvmfs.net.question import REDIRECTS, Status
from telegraf_cvmfs.net.transport import Outcome, Request

NEVER = float("inf")
_TELLING = (b"content-length", b"age", b"location", b"transfer-encoding")
_CONTINUE = 100
_ENOUGH = -1
"""What a callback returns to end the transfer."""


class Exchange:
    """A handle, used for one request after another; what has come of the answer to the present one."""

    def __init__(self, handle: pycurl.Curl, on_page: Callable[[Exchange], None]) -> None:
        """`on_page` is called where the body of an answer is not wanted: it may have so much time and no more."""
        self.handle = handle
        self._on_page = on_page
        handle.setopt(pycurl.HEADERFUNCTION, self._on_head)
        handle.setopt(pycurl.WRITEFUNCTION, self._on_body)

    def begin(self, number: int, request: Request, until: float, addresses: Sequence[str]) -> None:
        """Take up another request, to be answered by then (monotonic) at one of these addresses."""
        self.number, self.request, self.until = number, request, until
        self.url = request.url
        self.addresses = deque(addresses)
        self.afresh = False
        """Must it be a new connection?"""
        self.elsewhere = False
        """Did the first address not do?"""
        self._redirects = 0
        self._forget()

    def _forget(self) -> None:
        """Another answer is about to come."""
        self.status = 0
        self._headers: dict[bytes, str] = {}
        self._read = 0
        self.page_until = NEVER
        """When there has been enough of a body that is not wanted."""
        self.fault: FetchError | Exception | None = None
        """What ended the transfer here."""
        self._whole_head = False
        self._head = self._lines = 0
        self._pieces: list[bytes] = []

    @property
    def unconnected(self) -> bool:
        """Was there no connection to send a request on?"""
        return int(self.handle.getinfo(pycurl.LOCAL_PORT)) <= 0

    def redirect(self) -> bool:
        """Is the answer a redirect? Then that is asked for next.

        Raises:
            FetchError: it is not followed.
        """
        if self.fault is not None or self.status not in REDIRECTS:
            return False
        if self._redirects == MAX_REDIRECTS:
            raise too_often_redirected(self.status)
        location, follow = self._headers.get(b"location", ""), self.request.server.follow_redirects
        self.url = redirected(self.url, location, self.status, follow=follow)
        self._redirects += 1
        self._forget()
        return True

    def try_afresh(self) -> bool:
        """Did it fail on a connection from before, which may have died or been left dirty? Then a new one is tried."""
        if self.afresh or self.unconnected or self.handle.getinfo(pycurl.NUM_CONNECTS):
            return False
        self.afresh = True
        self._forget()
        return True

    def try_elsewhere(self) -> bool:
        """Is there another address? Then that is asked next."""
        if len(self.addresses) == 1:
            return False
        self.addresses.popleft()
        self.elsewhere = True
        self._forget()
        return True

    def outcome(self) -> Outcome | Exception | None:
        """What came, where that decides, however the transfer ended; None if it was cut off."""
        if self.fault is not None:
            return self.fault
        if self._whole_head and self.status != Status.OK:
            return Answer(self.status, b"")
        return None

    def complete(self) -> Outcome | Exception:
        """What came, if the transfer ended well."""
        decided = self.outcome()
        if decided is not None:
            return decided
        if not self._whole_head:
            return FetchError(Result.CONNECTION_FAILED, "closed before the headers ended")
        age, length = number(self._headers.get(b"age", "")), self._length
        if not self.request.limit:
            return Answer(self.status, b"", age, length, redirected=self._redirects > 0)
        if length is not None and length != self._read:
            return cut_short(self._read, length, self.status)
        return Answer(self.status, b"".join(self._pieces), age, self._read, redirected=self._redirects > 0)

    def cut_off(self) -> FetchError | None:
        """The error of a body that has begun and does not go on; None if it has not begun."""
        return cut_short(self._read, self._length, self.status) if self._whole_head else None

    @property
    def _length(self) -> int | None:
        return None if b"transfer-encoding" in self._headers else number(self._headers.get(b"content-length", ""))

    # What libcurl calls

    def _on_head(self, line: bytes) -> int | None:
        self._head += len(line)
        if self._head > MAX_HEAD:
            return self._fail(FetchError(Result.TOO_LARGE, f"more than {MAX_HEAD} bytes of headers"))
        if self._whole_head:
            return None  # a trailer
        if not self.status:
            return self._on_status(line)
        return self._on_header(line) if line.strip() else self._on_whole_head()

    def _on_status(self, line: bytes) -> int | None:
        version, _, rest = line.partition(b" ")
        code = rest[:3]
        plain = self.url.startswith("http:")
        self.status = int(code) if code.isdigit() else 0
        if self.status < _CONTINUE or not version.startswith(b"HTTP/1." if plain else b"HTTP/"):
            return self._fail(not_http(line[:64].decode("latin-1")))
        return None

    def _on_header(self, line: bytes) -> int | None:
        self._lines += 1
        if self._lines > MOST_HEADERS:
            return self._fail(not_http(f"got more than {MOST_HEADERS} headers"))
        name, _, text = line.partition(b":")
        name = name.lower()
        if name not in _TELLING:
            return None
        found = text.strip().decode("latin-1")
        before = self._headers.setdefault(name, found)
        if name == b"content-length" and (before != found or number(found) is None):
            return self._fail(not_http(f"Content-Length: {found if before == found else f'{before}, {found}'}"))
        return None

    def _on_whole_head(self) -> int | None:
        status = self.status
        if status == _CONTINUE:
            self.status, self._headers = 0, {}
            return None
        self._whole_head = True
        if status < Status.OK:
            return _ENOUGH  # another answer would follow, on a connection that is then not used again
        if status != Status.OK:
            self.page_until = time.monotonic() + ERROR_PAGE_TIME
            self._on_page(self)
            return None
        length, limit = self._length, self.request.limit
        if limit and length is not None and length > limit:
            return self._fail(too_large(length, limit, status))
        return None

    def _on_body(self, piece: bytes) -> int | None:
        if not self.status:  # HTTP/0.9, or no HTTP at all
            return self._fail(not_http(piece[:64].decode("latin-1")))
        self._read += len(piece)
        if self.status != Status.OK:
            return None if self._read <= ERROR_PAGE else _ENOUGH
        if self._read > self.request.limit:
            return self._fail(FetchError(Result.TOO_LARGE, f"more than {self.request.limit} bytes"))
        try:
            (self.request.sink or self._pieces.append)(piece)
        except Exception as error:  # noqa: BLE001  # libcurl would print it; whoever asked makes something of it
            return self._fail(error)
        return None

    def _fail(self, error: Exception) -> int:
        self.fault = error
        return _ENOUGH
