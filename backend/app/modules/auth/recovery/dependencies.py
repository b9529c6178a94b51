"""How a request gets its service."""

from fastapi import Request

from backend.app.core.runtime import runtime_of
from backend.app.modules.auth.dependencies import visitor
from backend.app.modules.auth.recovery.service import RecoveryService


async def recovery_service(request: Request) -> RecoveryService:
    return RecoveryService(runtime_of(request), request.state.request_id, await visitor(request))
