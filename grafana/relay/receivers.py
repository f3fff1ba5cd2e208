"""Handing a message to Slack, Mattermost, Matrix or a mail server: one attempt, one outcome.

Nobody is followed to another address, certificates are verified, answers are cut, and the environment's proxies and
`.netrc` are not used. What went wrong is said in own words: the libraries' messages hold the URL, which is a secret.
"""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from grafana.relay import wording
from grafana.relay.alert import clean
from grafana.relay.config import Chat, Mail, Matrix, Receiver
from grafana.relay.log import parts_of_secrets
from grafana.relay.message import Message
from grafana.relay.outbox import TAKEN, Outcome, Result
from telegraf_cvmfs.words.secrecy import Secrecy, credentials

TIMEOUT = (5.0, 15.0)
"""Seconds to connect, and to wait for each piece of an answer."""
LONGEST_WAIT = 20.0
LARGEST_ANSWER = 4096
OK = range(200, 300)
POISON = (400, 413, 422)
"""What is wrong is the message: it will not be better next time. All else may be mended, a token or a channel too."""

Sender = Callable[[Message], Outcome]


@dataclass(frozen=True)
class _Request:
    """What is asked; `ca` and `proxy` are the way there."""

    method: str
    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    ca: Path | None
    proxy: str


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Mapping[str, Any]:
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}


def sender(receiver: Receiver, proxy: str = "") -> Sender:
    """What hands messages to this receiver."""
    match receiver:
        case Matrix():
            return lambda message: _matrix(receiver, message, proxy)
        case Mail():
            return lambda message: _mail(receiver, message)
        case Chat():
            return lambda message: _chat(receiver, message, proxy)


def _chat(chat: Chat, message: Message, proxy: str) -> Outcome:
    if chat.kind == "slack":
        text = wording.text(message, wording.SLACK)
        body: dict[str, Any] = {"text": text, "unfurl_links": False, "unfurl_media": False}
    else:
        body = {"text": wording.text(message, wording.MATTERMOST)}
    request = _Request("POST", chat.url, body, {}, chat.ca, proxy)
    return _outcome(request, lambda answer: answer.body.strip() == b"ok")


def _matrix(matrix: Matrix, message: Message, proxy: str) -> Outcome:
    room, transaction = quote(matrix.room, safe=""), quote(message.identity, safe="")
    url = f"{matrix.homeserver}/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}"
    body = {
        "msgtype": "m.text",
        "body": wording.text(message, wording.MATRIX_PLAIN),
        "format": "org.matrix.custom.html",
        "formatted_body": wording.text(message, wording.MATRIX_HTML),
        "m.mentions": {},  # calls nobody, whatever stands in the text
    }
    headers = {"Authorization": f"Bearer {matrix.token}"}
    request = _Request("PUT", url, body, headers, matrix.ca, proxy)
    return _outcome(request, lambda answer: "event_id" in answer.document())


def _outcome(request: _Request, is_taken: Callable[[_Answer], bool]) -> Outcome:
    try:
        answer = _ask(request)
    except requests.exceptions.SSLError:
        return Outcome(Result.LATER, "its TLS certificate is not trusted, or TLS failed (own authority: set ca)")
    except requests.Timeout:
        return Outcome(Result.LATER, "it did not answer in time")
    except (requests.RequestException, HTTPError, OSError):
        return Outcome(Result.LATER, "it cannot be reached")
    except ValueError:  # a token that no header can hold
        return Outcome(Result.LATER, "its address or token has characters that cannot be sent")
    if answer.status in OK and is_taken(answer):
        return TAKEN
    said = clean(_hidden(answer.body.decode("utf-8", "replace"), request), 100)
    why = f"it answered {answer.status}" + (f": {said}" if said else "")
    if answer.status in OK:
        why += " (not what this service answers: is the URL right?)"
    result = Result.REFUSED if answer.status in POISON else Result.LATER
    return Outcome(result, why, _retry_after(answer))


def _hidden(said: str, request: _Request) -> str:
    """What was said without the secrets of the request: the log hides whole ones, but this is cut before."""
    secrets = {request.url, *parts_of_secrets([request.url]), *credentials(request.headers.get("Authorization", ""))}
    return Secrecy(secrets).hide(said)


def _ask(request: _Request) -> _Answer:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": request.proxy, "https": request.proxy} if request.proxy else {}
        with session.request(
            request.method,
            request.url,
            data=json.dumps(request.body).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "cvmfs-relay", **request.headers},
            timeout=TIMEOUT,
            allow_redirects=False,
            stream=True,
            verify=str(request.ca) if request.ca else True,
        ) as response:
            return _Answer(response.status_code, response.headers, _start(response))


def _start(response: requests.Response) -> bytes:
    """The first bytes of an answer, by a deadline: a drip would hold the receiver's thread for hours."""
    start, end = bytearray(), time.monotonic() + LONGEST_WAIT
    for piece in response.iter_content(1):  # read as it comes; more at once would wait for all of it
        start += piece
        if len(start) >= LARGEST_ANSWER or time.monotonic() > end:
            break
    return bytes(start)


def _retry_after(answer: _Answer) -> float | None:
    """How long a busy receiver wants to be left alone: `Retry-After`, or what older Matrix servers say instead."""
    value = answer.headers.get("Retry-After", "")
    if value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004
        return float(value)
    if value:
        try:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
        except (ValueError, TypeError, OverflowError):
            return None
    milliseconds = answer.document().get("retry_after_ms") if answer.status == 429 else None  # noqa: PLR2004
    if isinstance(milliseconds, int) and not isinstance(milliseconds, bool) and 0 <= milliseconds < 10**9:
        return milliseconds / 1000
    return None


# --- mail -------------------------------------------------------------------------------------------


def _mail(mail: Mail, message: Message) -> Outcome:
    try:
        with _smtp(mail) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            refused = server.send_message(_letter(mail, message), mail.sender, mail.to)
    except smtplib.SMTPDataError as error:
        result = Result.REFUSED if error.smtp_code >= 500 else Result.LATER  # noqa: PLR2004
        return Outcome(result, f"the mail server answered {error.smtp_code} to the message")
    except (smtplib.SMTPException, OSError, ValueError) as error:
        why = next(why for kind, why in _MAIL_FAILURES if isinstance(error, kind))
        return Outcome(Result.LATER, why)
    # Part of the addresses: to try again would send it twice to the others.
    return Outcome(Result.TAKEN, f"the mail server refused {len(refused)} of the addresses" if refused else "")


_MAIL_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (smtplib.SMTPAuthenticationError, "the mail server does not accept user and password"),
    (smtplib.SMTPRecipientsRefused, "the mail server refuses every address in `to`"),
    (smtplib.SMTPSenderRefused, "the mail server refuses the address in `from`"),
    (smtplib.SMTPNotSupportedError, "the mail server does not offer TLS, or login: see `tls` and `user`"),
    (smtplib.SMTPResponseException, "the mail server answered with an error"),
    (ssl.SSLError, "the mail server's TLS certificate is not trusted, or TLS failed"),
    (TimeoutError, "the mail server did not answer in time"),
    (UnicodeError, "the mail server's name, the user or the password has characters that cannot be sent"),
    (Exception, "the mail server cannot be reached"),
)
"""The first that fits."""


def _smtp(mail: Mail) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=str(mail.ca) if mail.ca else None)
    if mail.tls == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, _own_name(), timeout=TIMEOUT[1], context=context)
    server = smtplib.SMTP(mail.host, mail.port, _own_name(), timeout=TIMEOUT[1])
    if mail.tls == "starttls":
        try:
            server.starttls(context=context)  # raises if it is not offered: never in the clear instead
        except BaseException:
            server.close()
            raise
    return server


def _own_name() -> str:
    """How we introduce ourselves; smtplib would ask a name server, which may hang."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _letter(mail: Mail, message: Message) -> EmailMessage:
    letter = EmailMessage(policy=SMTP)
    letter["Subject"] = wording.headline(message)
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.to)
    letter["Date"] = format_datetime(datetime.fromtimestamp(message.made, UTC))
    letter["Message-ID"] = f"<{message.identity}@{mail.sender.partition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # so that nobody's holiday answers it
    letter.set_content(wording.text(message, wording.PLAIN))
    return letter
