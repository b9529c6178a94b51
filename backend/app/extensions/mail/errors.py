"""Why a mail was not sent. A job that raises the first is dead, one that raises the second tries again."""

from backend.app.core.errors import InvalidInput, Unavailable


class MailRefused(InvalidInput):
    """For good: a reply of the class 5yz (RFC 5321, 4.2.1), or a mail that cannot be written."""

    code = "mail.refused"
    title = "The mail cannot be sent"


class MailUnavailable(Unavailable):
    """For the time being: the server is away, slow, or answers 4yz."""

    code = "mail.unavailable"
    title = "The mail server cannot take the mail at the moment"
