"""A real, tiny SMTP server on loopback: it keeps what it takes and refuses what it was told to."""

from __future__ import annotations

import datetime
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class MailServer:
    """What came in, how often somebody signed in, and what to answer next."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.signed_in: list[str] = []
        self.answers: dict[str, list[str]] = {}
        self.drops_after_taking = 0
        self.context: ssl.SSLContext | None = None
        self.port = 0
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)

    def answer(self, command: str, usual: str) -> bytes:
        """The planned answer to a command, else the usual one."""
        planned = self.answers.get(command)
        return ((planned.pop(0) if planned else usual) + "\r\n").encode()


class _Talk(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        mail: MailServer = self.server.mail
        self._say(b"220 test\r\n")
        while line := self.rfile.readline():
            command = line.decode().strip().split(" ")[0].upper().split(":")[0]
            if command == "DATA":
                if not self._data(mail):
                    return
            elif command == "STARTTLS":
                self._say(b"220 go\r\n")
                self._protect(mail)
            elif command == "AUTH":
                mail.signed_in.append(line.decode().split()[1])
                self._say(mail.answer("AUTH", "235 ok"))
            elif command == "EHLO":
                offers = ["250-test", "250-STARTTLS"] if mail.context is not None else ["250-test"]
                self._say("\r\n".join([*offers, "250 AUTH PLAIN"]).encode() + b"\r\n")
            else:
                self._say(mail.answer(command, "221 bye" if command == "QUIT" else "250 ok"))

    def _say(self, words: bytes) -> None:
        self.wfile.write(words)
        self.wfile.flush()

    def _protect(self, mail: MailServer) -> None:
        assert mail.context is not None
        self.connection = mail.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")  # type: ignore[assignment]

    def _data(self, mail: MailServer) -> bool:
        self._say(b"354 go on\r\n")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        said = mail.answer("TEXT", "250 taken")
        if said.startswith(b"250"):
            mail.taken.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
        if mail.drops_after_taking:
            mail.drops_after_taking -= 1
            return False
        self._say(said)
        return True

    def finish(self) -> None:
        super().finish()
        self.rfile.close()
        self.connection.close()


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[MailServer]:
    """Serve until the block ends."""
    mail = MailServer(certificate)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talk) as server:
        server.mail = mail  # type: ignore[attr-defined]
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()


def make_certificate(folder: Path) -> Path:
    """A key with a certificate for 127.0.0.1 that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(pem)
    )
    return file
