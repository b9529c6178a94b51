"""What was mailed by an installation without an SMTP server."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path


def dropped(folder: Path) -> list[EmailMessage]:
    """The messages in the folder `mail` of the data folder, oldest first."""
    files = sorted(folder.glob("mail/*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [message_from_bytes(path.read_bytes(), EmailMessage, policy=SMTP) for path in files]


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def token_in(message: EmailMessage) -> str:
    found = re.search(r"#token=(\S+)", text_of(message))
    assert found is not None
    return found[1]
