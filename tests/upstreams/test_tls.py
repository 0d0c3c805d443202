"""Providers are reached over TLS, and only those who show a certificate for their own name."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from optin.upstreams.connecting import NotConnected, ReleasingClient
from tests.upstreams.peer import OK, answering, listening
from tests.upstreams.releases import client, granted, never, settled

__all__ = ["client"]


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """A file with a key and a certificate of its own making for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "peer.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, form, plain) + made.public_bytes(pem))
    return file


@pytest.mark.parametrize(
    ("name", "trusted", "taken"),
    [
        (x509.IPAddress(ipaddress.ip_address("127.0.0.1")), True, True),
        (x509.IPAddress(ipaddress.ip_address("127.0.0.1")), False, False),
        (x509.DNSName("another.example"), True, False),
    ],
    ids=["its own", "unknown", "another's"],
)
async def test_only_its_own_certificate_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    client: ReleasingClient,
    name: x509.GeneralName,
    trusted: bool,
    taken: bool,
) -> None:
    """A token goes to nobody else: whoever shows another certificate, or one that nobody vouches
    for, gets no release and no byte."""
    file = certificate(tmp_path, name)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with listening(tls=theirs) as peer:
        if taken:
            for _ in range(2):
                assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
            assert peer.connections == 1
        else:
            with pytest.raises(NotConnected, match="ertificate"):
                await client.post(peer.url, {}, b"{}", never)
            assert peer.requests == []


async def test_a_peer_is_told_whom_we_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: ReleasingClient
) -> None:
    """Behind one address there may be several names, each with its certificate; and HTTP/1.1 is
    what we speak there."""
    file = certificate(tmp_path, x509.DNSName("localhost"))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    theirs.set_alpn_protocols(["h2", "http/1.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    asked: list[str | None] = []

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    theirs.sni_callback = note
    async with listening(tls=theirs) as peer:
        url = peer.url.replace("127.0.0.1", "localhost")
        assert (await client.post(url, {}, b"{}", granted)).status == 200
        spoken = peer.writers[0].get_extra_info("ssl_object").selected_alpn_protocol()
        assert (asked, spoken) == (["localhost"], "http/1.1")


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_tls_on_both_event_loops(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    """What holds of a plain connection holds of one with TLS: it serves again, an answer may end
    with it, and it is not used once the peer has closed it or said something unasked."""
    file = certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    async def exchange() -> None:
        client = ReleasingClient(connect_timeout=5, total_timeout=5)
        async with listening(tls=theirs) as peer:
            for _ in range(2):
                assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"
            assert peer.connections == 1
            peer.writers[0].close()
            await peer.has_lost(1)
            await settled()
            assert (await client.post(peer.url, {}, b"{}", granted)).body == b"{}"
            peer.writers[1].write(OK)
            await peer.has_lost(2)
            peer.reply = answering(b"HTTP/1.1 200 OK\r\n\r\nto the end", close=True)
            assert (await client.post(peer.url, {}, b"{}", granted)).body == b"to the end"
            assert (peer.connections, len(peer.requests)) == (3, 4)
        await client.close()

    run(exchange())
