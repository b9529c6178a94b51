"""What a service needs to know about the call that it serves, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from backend.app.core.clock import Clock
    from backend.app.core.message_hub import MessageHub
    from backend.app.core.permissions import Principal
    from backend.app.core.settings import Settings


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """Built once for a request, a job's transaction or a command; no field is optional, so that a service cannot tell
    who called it."""

    settings: Settings
    session: AsyncSession
    hub: MessageHub
    principal: Principal
    clock: Clock
    request_id: str

    @property
    def workspace_id(self) -> str:
        return self.principal.workspace_id
