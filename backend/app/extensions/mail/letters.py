"""A letter, and the message (RFC 5322) that carries it."""

from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from email_validator import EmailNotValidError, validate_email

from backend.app.extensions.mail.errors import MailRefused


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str


def message_of(letter: Letter, *, sender: str, to: str, sent_at: datetime, message_id: str) -> EmailMessage:
    """`message_id` is the part before the `@`; `sender` reads `Name <address>` or `address`. The policy refuses line
    breaks in headers (CWE-93). Raises `MailRefused`."""
    message = EmailMessage(policy=SMTP)
    name, address = parseaddr(sender)
    try:
        sender_address = Address(name, addr_spec=address)
        message["From"] = sender_address
        message["To"] = mailbox(to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(sent_at)
        message["Message-ID"] = f"<{message_id}@{sender_address.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: nobody's out-of-office shall answer
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
    except (ValueError, IndexError, MessageError) as error:
        raise MailRefused(f"the mail cannot be written: {error}") from None
    return message


def mailbox(address: str) -> str:
    """As SMTP takes it: ASCII where that is possible, so that the domain is in Punycode. Raises `MailRefused`."""
    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise MailRefused(f"not an e-mail address: {error}") from None
    return checked.ascii_email or checked.normalized
