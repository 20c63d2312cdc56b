"""Whom we connect to: hostile URLs and addresses, names that change their mind, and certificates."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from receiving import Receiver
from ticketing.ground.config import InvalidSetting
from ticketing.outbound import Destination, Failed, Guard, Refused, Unresolved, is_public, post, posting
from ticketing.outbound import guard as guarding

SPECIAL = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 127.0.0.1 127.1.2.3 169.254.169.254 169.254.0.1
172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.0.192 192.0.2.1 192.31.196.1
192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::7f00:1 ::ffff:0:127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254 64:ff9b::7f00:1
64:ff9b::a9fe:a9fe 64:ff9b::8.8.8.8 64:ff9b:1::a00:1 100::1 100:0:0:1::1 2001::1 2001:0:7f00:1:: 2001:1::1 2001:2::1
2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:30::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 2002:808:808::
2620:4f:8000::1 3fff::1 3fff:fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 2606:4700::1%eth0
febf::1 fec0::1 ff02::1 ff0e::1 ffff::1
""".split()  # noqa: SIM905 (a table)
PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
2001:200::1 2001:4860:4860::8888 2003::1 2606:4700:4700::1111 2a00:1450:4001::1 3ffe::1 2620:4f:8001::1
""".split()  # noqa: SIM905 (a table)
ILL_FORMED = """
ftp://8.8.8.8/ file:///etc/passwd gopher://127.0.0.1/ //example.org/ example.org https:/example.org https://
javascript:alert(1) https:///path https://?query https://user@example.org/ https://user:pass@example.org/
https://127.0.0.1:80@8.8.8.8:25/ https://example.org@127.0.0.1/ https://example.org:0/ https://example.org:65536/
https://example.org:443443/ https://example.org:x/ https://example.org:+443/ https://[::1 https://::1/ https://[1.2.3.4]/
https://[::1%25eth0]/ https://[fe80::1%eth0]/ https://exa%6dple.org/ https://example.org\\@127.0.0.1/ https://exam_ple.org/
https://example.org/#fragment https://example.org#@127.0.0.1/ https://0/ https://0x7f000001/ https://0x7f.1/
https://017700000001/ https://0177.0.0.1/ https://127.1/ https://2130706433/ https://127.0.0.0x1/ https://1.2.3/
https://1.2.3.4.5/ https://256.256.256.256/ https://01.2.3.4/ https://example..org/ https://.example.org/
https://-example.org/ https://example.org/ümlaut https://xn--a/ https://a.123/ https://<script>/ https://a|b/ https://a^b/
""".split()  # noqa: SIM905 (a table)
NORMALISED = {
    "https://Example.ORG": ("https", "example.org", 443, "/"),
    "HTTPS://example.org./a?b=c": ("https", "example.org", 443, "/a?b=c"),
    "https://example.org?x": ("https", "example.org", 443, "/?x"),
    "http://example.org:8080/": ("http", "example.org", 8080, "/"),
    "https://bücher.example/": ("https", "xn--bcher-kva.example", 443, "/"),
    "https://①②⑦.⓪.⓪.①/": ("https", "127.0.0.1", 443, "/"),
    "https://127。0。0。1/": ("https", "127.0.0.1", 443, "/"),
    "https://[2606:4700:0:0::1]/": ("https", "2606:4700::1", 443, "/"),
    "https://[::ffff:127.0.0.1]:444/": ("https", "::ffff:127.0.0.1", 444, "/"),
}


def resolving(*answers: Sequence[str]) -> Callable[[str], Any]:
    """A name server that gives one answer after the other, the last one for ever."""
    left = list(answers)

    async def resolve(host: str) -> Sequence[str]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if not answer:
            raise socket.gaierror(host)
        return answer

    return resolve


def addresses(guard: Guard, url: str) -> list[str]:
    return asyncio.run(guard.addresses(Destination.of(url)))


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_refused(address: str) -> None:
    """As a literal, and behind a name, whatever else the name has."""
    assert not is_public(ip_address(address))
    guard = Guard(resolver=resolving(["8.8.8.8", address]))
    with pytest.raises(Refused, match="not public"):
        addresses(guard, "https://harmless.example/")
    with pytest.raises(Refused):
        addresses(guard, f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    guard = Guard(resolver=resolving([address]))
    assert addresses(guard, "https://harmless.example/") == [str(ip_address(address))]


def test_the_tables_are_long_enough() -> None:
    assert len(SPECIAL) >= 60
    assert len(ILL_FORMED) >= 46


@pytest.mark.parametrize("url", [*ILL_FORMED, "https://exam ple.org/", "https://example.org/a\tb", "https://a\0b/", ""])
def test_ill_formed_urls_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        Destination.of(url)


@pytest.mark.parametrize("url", NORMALISED)
def test_urls_are_read_in_one_way(url: str) -> None:
    read = Destination.of(url)
    assert (read.scheme, read.host, read.port, read.target) == NORMALISED[url]


def test_ports_and_plain_http() -> None:
    guard = Guard(ports=frozenset({443, 8443}), resolver=resolving(["8.8.8.8"]))
    assert addresses(guard, "https://a.example:8443/") == ["8.8.8.8"]
    for url, reason in (
        ("https://a.example:22/", "the port 22"),
        ("http://a.example:443/", "need https"),
        ("http://a.example/", "need https"),
    ):
        with pytest.raises(Refused, match=reason):
            addresses(guard, url)


def test_what_the_operator_allows() -> None:
    guard = Guard.from_settings("10.1.0.0/16, hooks.intranet, fd00::/8", "443")
    assert addresses(guard, "http://10.1.2.3:8080/") == ["10.1.2.3"]
    assert addresses(guard, "http://[fd00::1]/") == ["fd00::1"]
    for url in ("https://10.2.0.1/", "https://[fe80::1]/", "https://[::ffff:10.1.2.3]/"):
        with pytest.raises(Refused):
            addresses(guard, url)
    named = Guard(guard.hosts, guard.networks, guard.ports, resolving(["192.168.3.4"]))
    assert addresses(named, "http://Hooks.Intranet:81/") == ["192.168.3.4"]
    with pytest.raises(Refused):
        addresses(named, "https://x.hooks.intranet/")


@pytest.mark.parametrize(("allowed", "ports"), [("10.0.0.1/8", "443"), ("", "0"), ("", "443,"), ("", "https")])
def test_settings_that_cannot_be_read(allowed: str, ports: str) -> None:
    with pytest.raises(InvalidSetting):
        Guard.from_settings(allowed, ports)


@pytest.mark.parametrize("answer", [[], ["nonsense"]])
def test_names_without_an_address(answer: list[str]) -> None:
    with pytest.raises(Unresolved):
        addresses(Guard(resolver=resolving(answer)), "https://nowhere.example/")


def test_a_name_server_that_does_not_answer_holds_up_only_its_own_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up blocks its thread for longer than anybody waits for it; and whoever comes next asks again."""
    answered, real = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "silent.example":
            return real("8.8.8.8", *arguments, **options)
        answered.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(guarding, "RESOLVE_SECONDS", 0.2)

    async def deliver() -> list[str]:
        silent = (guard.addresses(Destination.of("https://silent.example/")) for _ in range(100))
        for outcome in await asyncio.gather(*silent, return_exceptions=True):
            assert isinstance(outcome, Unresolved)
        return await guard.addresses(Destination.of("https://quick.example/"))

    guard = Guard()
    try:
        assert asyncio.run(deliver()) == ["8.8.8.8"]
    finally:
        answered.set()


def test_an_error_for_which_nobody_waits_any_more_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, unhandled = threading.Event(), []

    def look_up(*_: Any, **__: Any) -> Any:
        answered.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(guarding, "RESOLVE_SECONDS", 0.05)

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        with pytest.raises(Unresolved):
            await Guard().addresses(Destination.of("https://late.example/"))
        (asked,) = guarding._resolving.values()
        answered.set()
        with suppress(socket.gaierror):
            await asyncio.wrap_future(asked)
        del asked
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(ask())
    assert unhandled == []


# Connections --------------------------------------------------------------------------------------------------------


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that are connected to."""
    seen: list[str] = []
    connect = posting._Pinned.__base__.connect_tcp  # type: ignore[union-attr]

    async def recorded(self: Any, host: str, *arguments: Any, **options: Any) -> Any:
        seen.append(host)
        return await connect(self, host, *arguments, **options)

    monkeypatch.setattr(posting._Pinned.__base__, "connect_tcp", recorded)
    return seen


def send(guard: Guard, url: str, seconds: float = 5) -> posting.Reply:
    return asyncio.run(post(guard, url, {"Content-Type": "application/json"}, b"{}", seconds=seconds))


def test_a_name_that_changes_its_mind(connections: list[str]) -> None:
    """DNS rebinding: public when it is checked, and loopback when it is connected to."""
    asked: list[str] = []

    async def resolve(host: str) -> Sequence[str]:
        asked.append(host)
        return ["198.20.0.1"] if len(asked) == 1 else ["127.0.0.1"]

    with pytest.raises(Failed):
        send(Guard(resolver=resolve), "https://rebinding.example/", seconds=0.3)
    assert asked == ["rebinding.example"]
    assert connections == ["198.20.0.1"]
    with pytest.raises(Failed) as refusal:
        send(Guard(resolver=resolve), "https://rebinding.example/")
    assert refusal.value.outcome == "refused"
    assert connections == ["198.20.0.1"]


@pytest.mark.parametrize("url", [*ILL_FORMED, *(f"https://[{a}]/" if ":" in a else f"https://{a}/" for a in SPECIAL)])
def test_nothing_is_connected_to_in_vain(url: str, connections: list[str]) -> None:
    with pytest.raises(Failed) as failure:
        send(Guard(resolver=resolving(["127.0.0.1"])), url)
    assert failure.value.outcome == "refused"
    assert connections == []


def test_proxies_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, new_receiver: Callable[..., Receiver], connections: list[str]
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=_answer_once, args=(listener,), daemon=True).start()
        guard = Guard(hosts=frozenset({"here.example"}), resolver=resolving(["127.0.0.1"]))
        reply = send(guard, f"http://here.example:{port}/path?query")
    assert reply.excerpt == f"POST /path?query HTTP/1.1 here.example:{port}".encode()
    assert connections == ["127.0.0.1"]


def _answer_once(listener: socket.socket, answer: Callable[[Any], None] | None = None) -> None:
    """Answer as told, or with the request's first line and its Host."""
    conn, _ = listener.accept()
    with conn:
        request = b""
        while not request.endswith(b"\r\n\r\n{}"):
            request += conn.recv(65536)
        if answer is not None:
            answer(conn)
            return
        lines = request.decode().split("\r\n")
        host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:"))
        body = f"{lines[0]} {host}"
        conn.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def test_the_next_address_is_tried(new_receiver: Callable[..., Receiver]) -> None:
    """One that nobody listens at does not keep us from the others."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threading.Thread(target=_answer_once, args=(listener,), daemon=True).start()
        guard = Guard(hosts=frozenset({"here.example"}), resolver=resolving(["127.0.0.2", "127.0.0.1"]))
        assert send(guard, f"http://here.example:{port}/").status == 200


# Certificates -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Issue a certificate for a name; gives the file with key and certificate. `authority.pem` beside it is trusted."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority")])
    now = datetime.now(UTC)

    def certificate(name: x509.Name, public: Any, *extensions: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=1))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(key, hashes.SHA256())

    own_key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    own = certificate(
        issuer,
        key.public_key(),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (own_key_id, False),
        (usage, True),
    )
    (folder / "authority.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(host: str) -> Path:
        leaf = ec.generate_private_key(ec.SECP256R1())
        issued = certificate(
            x509.Name([]),
            leaf.public_key(),
            (x509.SubjectAlternativeName([x509.DNSName(host)]), True),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_key_id), False),
        )
        path = folder / f"{host}.pem"
        path.write_bytes(
            leaf.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + issued.public_bytes(serialization.Encoding.PEM)
        )
        return path

    return issue


@contextmanager
def tls(certificate: Path, names: list[str | None], answer: Callable[[Any], None] | None = None) -> Iterator[int]:
    """A server with a certificate; gives its port, and notes which names it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    def serve() -> None:
        with suppress(OSError), context.wrap_socket(listener, server_side=True) as secured:
            _answer_once(secured, answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield port
        thread.join(5)


@pytest.mark.parametrize(
    ("host", "issued_for", "trusted"),
    [
        ("hooks.example", "hooks.example", True),
        ("hooks.example", "other.example", True),
        ("hooks.example", "hooks.example", False),
    ],
)
def test_certificates(
    authority: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, host: str, issued_for: str, trusted: bool
) -> None:
    """The name that the URL has is asked for and verified, although its address is connected to."""
    certificate = authority(issued_for)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("authority.pem")))
    posting._trusted.cache_clear()
    names: list[str | None] = []
    guard = Guard(hosts=frozenset({host}), resolver=resolving(["127.0.0.1"]))
    try:
        with tls(certificate, names) as port:
            if trusted and host == issued_for:
                assert send(guard, f"https://{host}:{port}/").status == 200
            else:
                with pytest.raises(Failed, match="certificate"):
                    send(guard, f"https://{host}:{port}/")
    finally:
        posting._trusted.cache_clear()
    assert names == [host]


def _garbage(client: ssl.SSLSocket, said: bytes = b"") -> None:
    """The beginning of an answer, and then a record of TLS that does not decrypt."""
    client.sendall(said)
    with socket.socket(fileno=os.dup(client.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"garbage!" * 4)
        _until_closed(raw)


def _until_closed(client: socket.socket) -> None:
    with suppress(OSError):
        while client.recv(65536):
            """It is no matter what is still sent."""


def _reset(client: ssl.SSLSocket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _half(client: ssl.SSLSocket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def _small_records(client: ssl.SSLSocket) -> None:
    """A head of 30,000 bytes in twenty times as many of TLS."""
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    with suppress(OSError):
        for _ in range(30_000):
            client.sendall(b"x")
        client.sendall(b"\r\n\r\n")


@pytest.fixture
def answering(
    authority: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[Any], None]], posting.Reply]]:
    """What comes of a request that is answered so, by TLS."""
    certificate = authority("hooks.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("authority.pem")))
    posting._trusted.cache_clear()
    guard = Guard(hosts=frozenset({"hooks.example"}), resolver=resolving(["127.0.0.1"]))

    def answering(answer: Callable[[Any], None]) -> posting.Reply:
        with tls(certificate, [], answer) as port:
            return send(guard, f"https://hooks.example:{port}/")

    yield answering
    posting._trusted.cache_clear()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_garbage, "broke off"),
        (partial(_garbage, said=b"HTTP/1.1 200 OK\r\n"), "broke off"),
        (_reset, "broke off"),
        (_half, "broke off"),
        (_small_records, "had not ended after 65,536 bytes"),
    ],
)
def test_whatever_a_receiver_does_in_tls_is_an_outcome(
    answering: Callable[[Callable[[Any], None]], posting.Reply], answer: Callable[[Any], None], said: str
) -> None:
    with pytest.raises(Failed, match=said) as failure:
        answering(answer)
    assert failure.value.outcome == "broken_off"


def test_tls_that_breaks_after_the_status_changes_nothing_of_it(
    answering: Callable[[Callable[[Any], None]], posting.Reply],
) -> None:
    reply = answering(partial(_garbage, said=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    assert (reply.status, reply.excerpt) == (200, b"half")


def test_the_python_library_would_have_let_some_pass() -> None:
    """Why there is a table: `is_global` is true of these."""
    passed = [address for address in SPECIAL if ipaddress.ip_address(address).is_global]
    assert len(passed) >= 5, passed
