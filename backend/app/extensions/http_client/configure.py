"""From settings to the policy and the limits of outgoing requests."""

from typing import Final

from backend.app.core.settings import Settings
from backend.app.engine.spec.limits import DEFAULT_LIMITS
from backend.app.extensions.http_client.limits import HttpLimits
from backend.app.extensions.http_client.policy import AllowRule, OutgoingPolicy
from backend.app.extensions.http_client.resolver import own_addresses

DESCRIPTION_LIMITS: Final = HttpLimits(deadline_s=30.0, max_body_bytes=DEFAULT_LIMITS.bytes)
"""A description may be larger and slower than what it describes."""


def outgoing_policy(settings: Settings) -> OutgoingPolicy:
    """Raises `ValueError` for an unreadable rule in `http.allow`."""
    return OutgoingPolicy(
        settings.allow_private_targets,
        tuple(AllowRule.parse(rule) for rule in settings.http.allow),
        own_addresses(settings.web.host, settings.web.port),
    )


def http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(deadline_s=settings.http.deadline_s, max_body_bytes=settings.http.max_body_bytes)
