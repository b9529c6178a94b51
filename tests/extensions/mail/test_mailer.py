"""Messages reach a real SMTP server, a folder, or an error that says whether to try again."""

import asyncio
import ssl
import stat
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from backend.app.core.settings import MailSettings, Settings, StorageSettings
from backend.app.extensions.mail import (
    FolderMailer,
    Letter,
    MailRefused,
    MailUnavailable,
    SmtpMailer,
    mailer_of,
    message_of,
)
from tests.support.smtp import HOST, Mailbox, smtp_server

LETTER = Letter("A subject: ü", "the text\n", "<p>the text</p>")


def message(to: str = "ada@example.com", sender: str = "Touchstone <touchstone@touchstone.example>") -> EmailMessage:
    sent_at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    return message_of(LETTER, sender=sender, to=to, sent_at=sent_at, message_id="one.1")


def mailer(mailbox: Mailbox, tls: ssl.SSLContext | None = None, **settings: Any) -> SmtpMailer:
    return SmtpMailer(MailSettings(host=HOST, port=mailbox.port, **({"security": "none"} | settings)), tls)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_message_arrives_as_it_was_written() -> None:
    async with smtp_server() as mailbox:
        await mailer(mailbox).send(message())
    (received,) = mailbox.messages
    assert mailbox.envelopes[0].mail_from == "touchstone@touchstone.example"
    assert mailbox.envelopes[0].rcpt_tos == ["ada@example.com"]
    assert received["From"] == "Touchstone <touchstone@touchstone.example>"
    assert received["To"] == "ada@example.com"
    assert received["Subject"] == "A subject: ü"
    assert received["Message-ID"] == "<one.1@touchstone.example>"
    assert received["Auto-Submitted"] == "auto-generated"
    text, page = received.iter_parts()
    assert (text.get_content_type(), text.get_content().strip()) == ("text/plain", "the text")
    assert (page.get_content_type(), page.get_content().strip()) == ("text/html", "<p>the text</p>")


async def test_an_international_address_is_reached() -> None:
    async with smtp_server() as mailbox:
        await mailer(mailbox).send(message("ada@bücher.example"))
        await mailer(mailbox).send(message("jürgen@example.com"))
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes] == [
        ["ada@xn--bcher-kva.example"],
        ["jürgen@example.com"],
    ]


@pytest.mark.parametrize(("security", "wrapped"), [("starttls", False), ("tls", True)])
async def test_a_message_travels_encrypted(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, security: str, wrapped: bool
) -> None:
    async with smtp_server(tls=server_tls, wrapped=wrapped) as mailbox:
        await mailer(mailbox, client_tls, security=security).send(message())
    assert mailbox.encrypted == [True]


async def test_a_server_with_a_certificate_of_nobody_we_know_gets_nothing(server_tls: ssl.SSLContext) -> None:
    async with smtp_server(tls=server_tls) as mailbox:
        with pytest.raises(MailUnavailable, match="certificate"):
            await mailer(mailbox, security="starttls").send(message())
    assert mailbox.messages == []


async def test_a_server_that_does_not_offer_starttls_gets_nothing() -> None:
    async with smtp_server() as mailbox:
        with pytest.raises(MailUnavailable, match="STARTTLS"):
            await mailer(mailbox, security="starttls").send(message())
    assert mailbox.messages == []


async def test_the_configured_account_is_used(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    account = {"security": "starttls", "username": "touchstone", "password": SecretStr("open sesame")}
    async with smtp_server(tls=server_tls, password="open sesame") as mailbox:
        await mailer(mailbox, client_tls, **account).send(message())
    assert mailbox.logins == [("touchstone", "open sesame")]
    assert len(mailbox.messages) == 1


async def test_a_wrong_password_is_final_and_is_not_told(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    account = {"security": "starttls", "username": "touchstone", "password": SecretStr("open barley")}
    async with smtp_server(tls=server_tls, password="open sesame") as mailbox:
        with pytest.raises(MailRefused, match="535") as refused:
            await mailer(mailbox, client_tls, **account).send(message())
    assert "barley" not in str(refused.value)


async def test_a_recipient_that_does_not_exist_is_final_and_a_full_mailbox_is_not() -> None:
    async with smtp_server() as mailbox:
        mailbox.replies += ["550 no such user", "452 mailbox full"]
        with pytest.raises(MailRefused, match="no such user"):
            await mailer(mailbox).send(message())
        with pytest.raises(MailUnavailable, match="mailbox full"):
            await mailer(mailbox).send(message())
        await mailer(mailbox).send(message())
    assert len(mailbox.messages) == 1


async def test_a_server_that_is_away_or_silent_may_be_asked_again() -> None:
    async with smtp_server() as mailbox:
        pass
    with pytest.raises(MailUnavailable):
        await mailer(mailbox).send(message())

    over = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        over.set()

    async with await asyncio.start_server(say_nothing, HOST, 0) as silent:
        deaf = Mailbox(port=silent.sockets[0].getsockname()[1])
        with pytest.raises(MailUnavailable):
            await mailer(deaf, timeout_s=0.2).send(message())
        await over.wait()


@pytest.mark.parametrize(
    ("to", "sender"),
    [
        ("ada@example.com\r\nBcc: eve@example.com", "touchstone@example.com"),
        ("ada@example.com, eve@example.com", "touchstone@example.com"),
        ("ada@example.com", "nobody"),
        ("", "touchstone@example.com"),
    ],
)
def test_an_address_cannot_add_headers_or_recipients(to: str, sender: str) -> None:
    with pytest.raises(MailRefused):
        message(to, sender)


def test_a_subject_cannot_add_headers() -> None:
    letter = Letter("Hello\r\nBcc: eve@example.com", "text", "<p>text</p>")
    with pytest.raises(MailRefused):
        message_of(letter, sender="a@example.com", to="b@example.com", sent_at=datetime.now(UTC), message_id="1")


async def test_without_a_server_a_message_goes_to_a_private_file(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings(data_dir=tmp_path))
    await mailer_of(settings).send(message())
    file = tmp_path / "mail" / "one.1.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    kept = message_from_bytes(file.read_bytes(), EmailMessage, policy=SMTP)
    assert kept["To"] == "ada@example.com"


async def test_a_folder_that_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MailUnavailable):
        await FolderMailer(tmp_path / "file").send(message())


def test_with_a_server_mail_is_sent_there() -> None:
    assert isinstance(mailer_of(Settings(mail=MailSettings(host="mail.example"))), SmtpMailer)
