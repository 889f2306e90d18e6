"""Connections go to public addresses only, and to the very address that was looked at."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qa.plugins.api import Transient
from qa.plugins.guarded import MOST_HOSTS, GuardedTransport
from qa.plugins.reach import Reach, Refused, is_public

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2001:0:53aa:64c::1",
    ],
)
def test_an_address_that_is_not_public_is_refused_in_any_clothes(address: str) -> None:
    reach = Reach(resolve=lambda host, port: [address])
    with pytest.raises(Refused, match="private_networks"):
        reach.address_of("vendor.example", 443)


def test_one_bad_address_among_good_ones_is_enough_to_refuse() -> None:
    with pytest.raises(Refused):
        Reach(resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"]).address_of("vendor.example", 443)


def test_an_allowed_private_network_is_reached_and_no_other() -> None:
    reach = Reach(private=LOOPBACK, resolve=lambda host, port: [host])
    assert reach.address_of("127.0.0.9", 80) == "127.0.0.9"
    with pytest.raises(Refused):
        reach.address_of("10.0.0.1", 80)


def test_a_name_without_an_address_may_get_one_later() -> None:
    with pytest.raises(Transient):
        Reach(resolve=lambda host, port: []).address_of("vendor.example", 443)


def test_hosts_match_by_pattern() -> None:
    reach = Reach(hosts=("cdn.example", "*.amazonaws.com"))
    asked = [
        "cdn.example",
        "CDN.example",
        "s3.amazonaws.com",
        "amazonaws.com",
        "evil-cdn.example",
        "a.cdn.example",
    ]
    assert [reach.allows_host(host) for host in asked] == [True, True, True, False, False, False]


class Echo(BaseHTTPRequestHandler):
    """Answers with the name it was asked under."""

    def do_GET(self) -> None:
        said = (self.headers["host"] or "").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for vendor.example, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vendor.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("vendor.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "vendor.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server on the loopback, with TLS when the test asks for a certificate."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    if "certificate" in request.fixturenames:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(request.getfixturevalue("certificate"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def get(transport: httpx.BaseTransport, url: str) -> str:
    response = transport.handle_request(httpx.Request("GET", url))
    try:
        return response.read().decode()
    finally:
        response.close()
        transport.close()


def trusting(certificate: Path) -> Callable[[], httpx.BaseTransport]:
    context = ssl.create_default_context(cafile=str(certificate))
    return lambda: httpx.HTTPTransport(verify=context)


def test_the_connection_goes_to_the_address_looked_at_under_the_name_asked_for(
    port: int, certificate: Path
) -> None:
    reach = Reach(private=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
    said = get(GuardedTransport(reach, trusting(certificate)), f"https://vendor.example:{port}/")
    assert said == f"vendor.example:{port}"


def test_a_certificate_for_another_name_is_refused(port: int, certificate: Path) -> None:
    reach = Reach(private=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(httpx.ConnectError, match=r"other\.example"):
        get(GuardedTransport(reach, trusting(certificate)), f"https://other.example:{port}/")


def test_of_two_hosts_at_one_address_none_gets_the_others_connection(port: int, certificate: Path) -> None:
    reach = Reach(private=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
    transport = GuardedTransport(reach, trusting(certificate))
    kept = transport.handle_request(httpx.Request("GET", f"https://vendor.example:{port}/"))
    assert kept.read() == f"vendor.example:{port}".encode()
    with pytest.raises(httpx.ConnectError, match=r"other\.example"):
        transport.handle_request(httpx.Request("GET", f"https://other.example:{port}/"))
    transport.close()


def test_connections_to_many_hosts_are_closed_again(port: int) -> None:
    made: list[httpx.HTTPTransport] = []
    closed: list[httpx.HTTPTransport] = []

    class Counted(httpx.HTTPTransport):
        def close(self) -> None:
            closed.append(self)
            super().close()

    def pool() -> httpx.BaseTransport:
        made.append(Counted())
        return made[-1]

    reach = Reach(private=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
    transport = GuardedTransport(reach, pool)
    for number in range(MOST_HOSTS + 3):
        transport.handle_request(httpx.Request("GET", f"http://h{number}.example:{port}/")).close()
    assert (len(made), closed) == (MOST_HOSTS + 3, made[:3])
    transport.close()
    assert len(closed) == len(made)


def test_plain_http_goes_to_allowed_private_networks_only(port: int) -> None:
    reach = Reach(private=LOOPBACK, resolve=lambda host, port: ["127.0.0.1"])
    assert get(GuardedTransport(reach), f"http://inside.example:{port}/") == f"inside.example:{port}"
    public = Reach(resolve=lambda host, port: ["93.184.216.34"])
    with pytest.raises(Refused, match="TLS"):
        GuardedTransport(public).handle_request(httpx.Request("GET", "http://vendor.example/"))
