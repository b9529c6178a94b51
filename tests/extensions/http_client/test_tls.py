import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from backend.app.engine.http import Exchange, Outcome, Request
from backend.app.extensions.http_client import HttpClient, HttpLimits
from tests.extensions.http_client.targets import EMBEDDED, Visit, answering, ok, raw_target


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def ask(certificate: trustme.LeafCert, host: str, *, verify: bool = True, ca_file: str | None = None) -> Exchange:
    async with (
        raw_target(answering(ok(b"secure")), server_context(certificate)) as target,
        HttpClient(EMBEDDED, verify=verify, ca_file=ca_file) as client,
    ):
        return await client.send(Request("GET", f"https://{host}:{target.port}/"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_of_a_trusted_authority_is_accepted(authority: trustme.CA, ca_file: str, host: str) -> None:
    exchange = await ask(authority.issue_cert(host), host, ca_file=ca_file)
    assert exchange.answer is not None
    assert exchange.answer.body == b"secure"


async def test_an_unknown_authority_is_refused_unless_verification_is_off(authority: trustme.CA) -> None:
    certificate = authority.issue_cert("localhost")
    refused = await ask(certificate, "localhost")
    assert refused.outcome is Outcome.TLS_FAILED
    assert "certificate" in refused.error
    assert (await ask(certificate, "localhost", verify=False)).outcome is Outcome.ANSWERED


async def test_a_self_signed_certificate_is_named(tmp_path: Path) -> None:
    exchange = await ask(trustme.CA().issue_cert("localhost"), "localhost")
    assert "local issuer" in exchange.error or "self" in exchange.error


async def test_an_expired_certificate_is_named(authority: trustme.CA, ca_file: str) -> None:
    expired = authority.issue_cert("localhost", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    exchange = await ask(expired, "localhost", ca_file=ca_file)
    assert exchange.outcome is Outcome.TLS_FAILED
    assert "expired" in exchange.error


async def test_a_certificate_for_another_name_is_named(authority: trustme.CA, ca_file: str) -> None:
    exchange = await ask(authority.issue_cert("other.example"), "localhost", ca_file=ca_file)
    assert exchange.outcome is Outcome.TLS_FAILED
    assert "mismatch" in exchange.error.lower()


async def test_a_plain_http_server_cannot_be_reached_by_https() -> None:
    async def answers_at_once(visit: Visit) -> None:
        await visit.write(ok())

    async with raw_target(answers_at_once) as target, HttpClient(EMBEDDED) as client:
        exchange = await client.send(Request("GET", f"https://127.0.0.1:{target.port}/"))
    assert exchange.outcome is Outcome.TLS_FAILED


async def test_a_handshake_that_hangs_ends_at_the_connect_limit() -> None:
    async def hang(visit: Visit) -> None:
        await visit.until_gone()

    limits = HttpLimits(deadline_s=20, connect_s=0.3)
    async with raw_target(hang) as target, HttpClient(EMBEDDED, limits=limits) as client:
        exchange = await client.send(Request("GET", f"https://127.0.0.1:{target.port}/"))
    assert exchange.outcome is Outcome.TIMEOUT
    assert exchange.timing.total_ms < 10_000


async def test_a_handshake_that_is_cut_is_a_tls_fault() -> None:
    async def cut(visit: Visit) -> None:
        await visit.reader.read(1)
        visit.reset()

    async with raw_target(cut) as target, HttpClient(EMBEDDED) as client:
        exchange = await client.send(Request("GET", f"https://127.0.0.1:{target.port}/"))
    assert exchange.outcome is Outcome.TLS_FAILED


async def test_tls_connections_are_kept(authority: trustme.CA, ca_file: str) -> None:
    context = server_context(authority.issue_cert("localhost"))
    async with raw_target(answering(ok()), context) as target, HttpClient(EMBEDDED, ca_file=ca_file) as client:
        for _ in range(3):
            exchange = await client.send(Request("GET", f"https://localhost:{target.port}/"))
            assert exchange.outcome is Outcome.ANSWERED
    assert target.connections == 1


def test_no_version_before_tls_1_2_is_spoken() -> None:
    """RFC 8996. The best that both sides know is taken."""
    offered = HttpClient(EMBEDDED)._pool._tls_context()
    assert offered.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert offered.maximum_version is ssl.TLSVersion.MAXIMUM_SUPPORTED
    weak = re.compile("NULL|EXPORT|anon|ADH|RC4|DES|MD5|PSK")
    assert [cipher["name"] for cipher in offered.get_ciphers() if weak.search(cipher["name"])] == []
