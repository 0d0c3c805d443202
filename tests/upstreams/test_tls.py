"""Providers are reached over TLS, and only those who show a certificate for their own name."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from optin.upstreams.connecting import NotConnected, ReleasingClient
from tests.upstreams.peer import listening
from tests.upstreams.releases import client, granted, never

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
    ours = ssl.create_default_context(cafile=str(file) if trusted else None)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ours)
    async with listening(tls=theirs) as peer:
        if taken:
            for _ in range(2):
                assert (await client.post(peer.url, {}, b"{}", granted)).status == 200
            assert peer.connections == 1
        else:
            with pytest.raises(NotConnected, match="ertificate"):
                await client.post(peer.url, {}, b"{}", never)
            assert peer.requests == []
