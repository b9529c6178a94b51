"""Outgoing mail: written from templates, sent by SMTP, or dropped into a folder where there is no server.

Nothing else imports an SMTP client (import contract).
"""

from backend.app.extensions.mail.errors import MailRefused, MailUnavailable
from backend.app.extensions.mail.letters import Letter, message_of
from backend.app.extensions.mail.mailer import FolderMailer, Mailer, SmtpMailer, mailer_of
from backend.app.extensions.mail.templates import TEMPLATES, render

__all__ = [
    "TEMPLATES",
    "FolderMailer",
    "Letter",
    "MailRefused",
    "MailUnavailable",
    "Mailer",
    "SmtpMailer",
    "mailer_of",
    "message_of",
    "render",
]
