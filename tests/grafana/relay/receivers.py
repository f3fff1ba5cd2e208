"""Stand-ins of Slack, Mattermost, Matrix and a mail server on loopback, which refuse what the real ones document to refuse.

Each records what it took; `.faults` are answers that it gives to the next requests instead.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOOK = "/services/T0123/B4567/secretsecretsecret"
TOKEN = "syt_secret_token_of_matrix"  # noqa: S105
PASSWORD = "correct-horse-battery"  # noqa: S105


@dataclass(frozen=True)
class Fault:
    """An answer out of order: a status, what goes with it, and whether the connection is cut instead."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


@dataclass
class Taken:
    """What one chat has seen: its messages, how often it was asked, and the faults still to come."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    faults: list[Fault] = field(default_factory=list)
    url: str = ""


class _Chat(BaseHTTPRequestHandler):
    """Slack, Mattermost and Matrix in one: the path says which."""

    taken: Taken

    def do_POST(self) -> None:
        document = self._read()
        if document is None:
            return
        text = document.get("text")
        if self.headers["Content-Type"] != "application/json" or not isinstance(text, str):
            self._say(400, "invalid_payload")
        elif not text:
            self._say(400, "no_text")
        elif self.path == HOOK:
            # Slack: & < > only as entities; what stands in <> is a link or a call to somebody.
            marks = re.findall(r"<([^>]*)>", text)
            calls = [mark for mark in marks if not re.fullmatch(r"https?://[^|<>]+\|[^<>|]+", mark)]
            raw = re.search(r"&(?!amp;|lt;|gt;)|<(?!https?://[^|<>]+\|[^<>|]+>)", text)
            self._record(document) if not calls and not raw and len(text) <= 40_000 else self._say(400, "calls people")
        elif self.path == "/hooks/secretsecretsecret":
            self._record(document) if len(text) <= 16_383 else self._say(400, "too long")
        else:
            self._say(404, "no_service")

    def do_PUT(self) -> None:
        document = self._read()
        if document is None:
            return
        path = re.fullmatch(
            r"/_matrix/client/v3/rooms/%21room%3Aexample.org/send/m.room.message/([0-9a-f]{32})", self.path
        )
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._say(401, json.dumps({"errcode": "M_UNKNOWN_TOKEN", "error": "Invalid access token"}))
        elif path is None:
            self._say(404, json.dumps({"errcode": "M_UNRECOGNIZED"}))
        elif document.get("msgtype") != "m.text" or not isinstance(document.get("body"), str):
            self._say(400, json.dumps({"errcode": "M_BAD_JSON"}))
        elif len(json.dumps(document).encode()) > 60_000:
            self._say(413, json.dumps({"errcode": "M_TOO_LARGE"}))
        else:
            known = [message.get("transaction") for message in self.taken.messages]
            if path[1] not in known:  # the same transaction is the same message
                self.taken.messages.append({**document, "transaction": path[1]})
            self._say(200, json.dumps({"event_id": f"${path[1]}"}))

    def _read(self) -> dict[str, Any] | None:
        self.taken.asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.taken.faults:
            fault = self.taken.faults.pop(0)
            if fault.cut:
                self.close_connection = True
            else:
                self._say(fault.status, fault.body, fault.headers)
            return None
        try:
            document = json.loads(body)
        except ValueError:
            self._say(400, "invalid_payload")
            return None
        return cast("dict[str, Any]", document)

    def _record(self, document: dict[str, Any]) -> None:
        self.taken.messages.append(document)
        self._say(200, "ok")

    def _say(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent."""


@contextmanager
def chat(certificate: tuple[Path, Path] | None = None) -> Iterator[Taken]:
    """A chat of all three kinds; https with a certificate and its key."""
    taken = Taken()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Chat", (_Chat,), {"taken": taken})) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        taken.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield taken
        server.shutdown()


# --- mail -------------------------------------------------------------------------------------------


@dataclass
class Post:
    """What the mail server has taken: letters, who was logged in, whether it was encrypted, for whom."""

    letters: list[EmailMessage] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    """Start of a command, and the answer that it gets."""
    port: int = 0


class _Smtp(socketserver.StreamRequestHandler):
    post: Post
    context: ssl.SSLContext | None
    at_once: bool
    login: bool

    def handle(self) -> None:
        self.encrypted = False
        if self.at_once:
            self._encrypt()
        self.user, self.to = "", list[str]()
        self._say("220 stand-in ESMTP")
        while line := self.rfile.readline(2000):
            if self._do(line.decode("ascii", "replace").strip()):
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()  # the encrypted one, of which the server does not know

    def _do(self, line: str) -> bool:
        for start, answer in self.post.refuses.items():
            if line.upper().startswith(start):
                self._say(answer)
                return False
        verb = line.partition(" ")[0].upper()
        if verb == "EHLO":
            tls = ["STARTTLS"] if self.context and not self.encrypted else []
            self._say(*(f"250-{word}" for word in ["stand-in", *tls, "AUTH PLAIN"]), "250 SIZE 1000000")
        elif verb == "STARTTLS" and self.context:
            self._say("220 go")
            self._encrypt()
        elif verb == "AUTH":
            _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
            self.user = user if password == PASSWORD else ""
            self._say("235 yes" if self.user else "535 no")
        elif verb == "RCPT":
            self.to.append(line)
            self._say("250 ok")
        elif verb == "DATA" and (self.user or not self.login):
            self._take()
        elif verb in ("MAIL", "RSET", "NOOP"):
            self._say("250 ok")
        else:
            self._say("221 bye" if verb == "QUIT" else "530 no")
            return verb == "QUIT"
        return False

    def _take(self) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self.rfile.readline(2000)) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.post.letters.append(BytesParser(policy=default).parsebytes(b"".join(lines)))
        self.post.users.append(self.user)
        self.post.encrypted.append(self.encrypted)
        self.post.to.append(self.to)
        self._say("250 taken")

    def _encrypt(self) -> None:
        assert self.context is not None
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")
        self.wfile = self.request.makefile("wb", 0)
        self.encrypted = True

    def _say(self, *lines: str) -> None:
        self.wfile.write(b"".join(f"{line}\r\n".encode() for line in lines))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate hangs up."""


@contextmanager
def mail_server(
    certificate: tuple[Path, Path] | None = None, *, at_once: bool = False, login: bool = False
) -> Iterator[Post]:
    """A mail server; with a certificate it offers STARTTLS, or speaks TLS at once."""
    post, context = Post(), None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    known = {"post": post, "context": context, "at_once": at_once, "login": login}
    with _Server(("127.0.0.1", 0), type("Smtp", (_Smtp,), known)) as server:
        post.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield post
        server.shutdown()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(key.private_bytes(*form))
    return paths
