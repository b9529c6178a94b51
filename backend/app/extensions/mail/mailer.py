"""Sends messages, or keeps them in a folder."""

import asyncio
import os
import ssl
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Final, Protocol

import aiosmtplib
import structlog

from backend.app.core.settings import MailSettings, Settings
from backend.app.extensions.mail.errors import MailRefused, MailUnavailable

log = structlog.get_logger(module_id="mail")

FOLDER: Final = "mail"
"""In `storage.data_dir`."""


class Mailer(Protocol):
    async def send(self, message: EmailMessage) -> None:
        """Raises `MailRefused` when it makes no sense to try again, else `MailUnavailable`."""


def mailer_of(settings: Settings) -> Mailer:
    if settings.mail.host is None:
        return FolderMailer(settings.storage.data_dir / FOLDER)
    return SmtpMailer(settings.mail)


class SmtpMailer:
    """One connection a message. Certificates are verified, and STARTTLS is not optional where it is configured: a
    server that does not offer it gets no mail (RFC 8314, 5.2; a man in the middle could strip the offer)."""

    def __init__(self, settings: MailSettings, tls: ssl.SSLContext | None = None) -> None:
        """`tls` defaults to the authorities that the machine trusts."""
        self._settings = settings
        self._tls = tls

    async def send(self, message: EmailMessage) -> None:
        settings = self._settings
        sender = parseaddr(message["From"])[1]
        password = settings.password
        try:
            async with asyncio.timeout(settings.timeout_s):
                await aiosmtplib.send(
                    message,
                    sender=sender,
                    recipients=[parseaddr(message["To"])[1]],
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.username,
                    password=None if password is None else password.get_secret_value(),
                    local_hostname=sender.rpartition("@")[2],
                    timeout=settings.timeout_s,
                    use_tls=settings.security == "tls",
                    start_tls=settings.security == "starttls",
                    tls_context=self._tls,
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            text = f"{settings.host}:{settings.port}: {type(error).__name__}: {error}"
            raise (MailRefused(text) if _is_final(error) else MailUnavailable(text)) from error
        log.info("mail.sent", message_id=message["Message-ID"])


class FolderMailer:
    """Writes a message to a file that only its owner can read: it may hold a one-time token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        path = self._folder / f"{message['Message-ID'].strip('<>').partition('@')[0]}.eml"
        try:
            await asyncio.to_thread(_write, path, message.as_bytes())
        except OSError as error:
            raise MailUnavailable(f"{path}: {error.strerror}") from error
        log.warning("mail.not_sent", reason="mail.host is not set", written_to=str(path.resolve()))


def _is_final(error: Exception) -> bool:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(_is_final(each) for each in error.recipients)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return 500 <= error.code < 600
    return isinstance(error, aiosmtplib.SMTPNotSupported | ValueError) and not isinstance(error, OSError)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
