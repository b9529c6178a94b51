"""A case: one request that we intend to send, and what a correct API does with it."""

from dataclasses import dataclass
from enum import StrEnum

from backend.app.engine.generate.requests import Inputs, ParameterKey
from backend.app.engine.spec.model import Operation

WHOLE_BODY = "body"


class Expectation(StrEnum):
    ACCEPTED = "accepted"
    """2xx."""
    REJECTED = "rejected"
    """4xx: the request breaks the description."""
    UNAUTHENTICATED = "unauthenticated"
    """401 or 403: credentials are required and none are sent."""
    NO_CRASH = "no_crash"
    """Anything but a server error: the description does not settle whether the value is acceptable."""


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    """Stable code: `valid`, `missing_required`, `wrong_type`, ..."""
    title: str
    """The case in words, for a person."""
    operation: Operation
    inputs: Inputs
    expectation: Expectation
    part: str = ""
    """The one part that differs from a valid request: `query limit`, `body /name`; empty for a valid request."""
    credentials: bool = True
    fixed: frozenset[str] = frozenset()
    """Parts whose values must be sent as they are, and not be replaced by ids that the target gave us."""


def parameter_part(key: ParameterKey) -> str:
    return f"{key[0]} {key[1]}"


def body_part(path: tuple[str | int, ...]) -> str:
    return "body /" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
