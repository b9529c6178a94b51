"""What single sign-on makes known, beside `user.registered` and `user.signed_in`."""

from typing import ClassVar

from backend.app.core.ids import Ulid
from backend.app.core.message_hub import Event


class IdentityLinked(Event):
    """From here on the provider signs this user in. `took_over`: nobody had proved the account's address before, so
    every earlier way into the account was closed."""

    name: ClassVar = "identity.linked"
    entity: ClassVar = "user"
    identity_id: Ulid
    user_id: Ulid
    provider: str
    took_over: bool


class IdentityRemoved(Event):
    name: ClassVar = "identity.removed"
    entity: ClassVar = "user"
    identity_id: Ulid
    user_id: Ulid
    provider: str


class SsoSignInRefused(Event):
    """A provider vouched for somebody, but not enough to open this account. `reason`: `disabled`, `unverified` (the
    address), `untrusted` (the provider, for that domain)."""

    name: ClassVar = "sso_sign_in.refused"
    entity: ClassVar = "user"
    user_id: Ulid
    provider: str
    reason: str
