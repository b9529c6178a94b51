"""What our letters say. A template is written once; its text and its HTML both follow from it."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template as Pattern
from typing import Final

from backend.app.extensions.mail.letters import Letter

_SHOWN: Final = 400
"""Characters of a value, which somebody else may have chosen: the name of a workspace."""


@dataclass(frozen=True, slots=True)
class Template:
    """Paragraphs with `$values`. A letter with a token also shows a link and the call of the API that the link stands
    for.

    The link carries the token behind the `#`: a browser does not send that part, so that no log on the way keeps it.
    """

    subject: str
    opening: tuple[str, ...]
    closing: tuple[str, ...] = ()
    page: str = ""
    """Where the link leads, below the public address."""
    call: str = ""
    """Path of the API that takes the token."""
    takes_password: bool = False


TEMPLATES: Final[Mapping[str, Template]] = {
    "identity_linked": Template(
        subject="Your account has another way in",
        opening=("From now on $provider can sign you in to the Touchstone account $to.",),
        closing=(
            "If it was not you, take the identity off your account (GET and DELETE $url/api/v1/auth/identities), and "
            "ask for another password at once:",
            'POST $url/api/v1/auth/reset-password {"email": "$to"}',
        ),
    ),
    "invitation": Template(
        subject="You are invited to a workspace on Touchstone",
        opening=('$inviter invites you to the workspace "$workspace", as $role.',),
        closing=(
            "The invitation holds for $valid_for. To accept it, sign in with this address, $to.",
            "If you do not know what this is about, do nothing.",
        ),
        page="accept-invitation",
        call="invitations/accept",
    ),
    "password_changed": Template(
        subject="Your password was changed",
        opening=(
            "The password of your Touchstone account $to was changed. Whoever was signed in with the old one is signed "
            "out.",
        ),
        closing=(
            "If it was not you, ask for another password at once:",
            'POST $url/api/v1/auth/reset-password {"email": "$to"}',
        ),
    ),
    "reset_password": Template(
        subject="Choose a new password",
        opening=("Somebody, most likely you, asked for a new password for the Touchstone account $to.",),
        closing=(
            "The link works once, for $valid_for.",
            "If it was not you, do nothing: your password stays as it is.",
        ),
        page="reset-password",
        call="auth/confirm-reset",
        takes_password=True,
    ),
    "sign_up_repeated": Template(
        subject="You have an account already",
        opening=(
            "Somebody, most likely you, wanted to sign up to Touchstone with $to. There is an account with this "
            "address, so nothing was changed.",
        ),
        closing=(
            "Sign in as before. If you have forgotten your password, the link lets you choose another one, once, for "
            "$valid_for. If it was not you, do nothing.",
        ),
        page="reset-password",
        call="auth/confirm-reset",
        takes_password=True,
    ),
    "verify_email": Template(
        subject="Confirm your e-mail address",
        opening=("Please confirm that the Touchstone account $to is yours.",),
        closing=("The link works once, for $valid_for.", "If you did not sign up, do nothing."),
        page="verify-email",
        call="auth/verify-email",
    ),
}


def render(name: str, values: Mapping[str, str], *, url: str, token: str = "") -> Letter:
    """The letter `name` of `TEMPLATES`. `url` is the public address of the installation; `values` are put on one
    line, escaped where they go into HTML, and never read as patterns. Raises `KeyError` for a value that is missing."""
    template = TEMPLATES[name]
    known = {"url": url, **{key: " ".join(value.split())[:_SHOWN] for key, value in values.items()}}
    opening = [Pattern(each).substitute(known) for each in template.opening]
    closing = [Pattern(each).substitute(known) for each in template.closing]
    link = f"{url}/{template.page}#token={token}" if template.page else ""
    shown = [link, "Or call the API:", _call(template, url, token)] if link else []
    text = "\n\n".join([*opening, *shown, *closing]) + "\n"
    blocks = [_paragraph(each) for each in opening]
    if link:
        href = html.escape(link)
        blocks += [f'<p><a href="{href}">{href}</a></p>', _paragraph(shown[1])]
        blocks.append(f"<pre>{html.escape(shown[2])}</pre>")
    blocks += [_paragraph(each) for each in closing]
    title = html.escape(template.subject)
    head = f'<head><meta charset="utf-8"><title>{title}</title></head>'
    body = "\n".join(blocks)
    return Letter(template.subject, text, f'<!doctype html>\n<html lang="en">{head}\n<body>\n{body}\n</body></html>\n')


def _call(template: Template, url: str, token: str) -> str:
    body = {"token": token, **({"password": "..."} if template.takes_password else {})}
    return f"POST {url}/api/v1/{template.call}\n{json.dumps(body)}"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
