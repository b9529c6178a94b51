from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI

from backend.app.core.performer import Performer
from backend.app.core.runner import Runner
from backend.app.modules.auth.events import MailRequested
from backend.app.modules.auth.recovery.handlers import send_mail
from tests.support.accounts import SetClock

Deliver = Callable[[], Awaitable[None]]


@pytest.fixture
def deliver(app: FastAPI, clock: SetClock) -> Deliver:
    """Sends the mail that is due."""
    runtime = app.state.runtime
    runtime.hub.on(MailRequested, queue="outgoing", attempts=3)(send_mail)
    return Performer(Runner(runtime.database, runtime.hub, runtime.settings, clock)).drain
