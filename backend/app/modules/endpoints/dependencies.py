"""How a request gets its services and its filter."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.runtime import service_context
from backend.app.core.schema import Line
from backend.app.modules.endpoints.discovery import Kind
from backend.app.modules.endpoints.inventory.reconcile import EndpointState
from backend.app.modules.endpoints.repository import EndpointFilter
from backend.app.modules.endpoints.service import DiscoveryService, EndpointService


async def discovery_service(context: Annotated[ServiceContext, Depends(service_context)]) -> DiscoveryService:
    return DiscoveryService(context)


async def endpoint_service(context: Annotated[ServiceContext, Depends(service_context)]) -> EndpointService:
    return EndpointService(context)


async def endpoint_filter(
    method: Annotated[str | None, Query(pattern=r"^([A-Za-z]{1,20}|\*)$")] = None,
    state: EndpointState | None = None,
    requires_auth: bool | None = None,
    source: Annotated[
        str | None,
        Query(max_length=100, pattern=r"^[a-z0-9.+-]+$", description="What one of its sources was read from."),
    ] = None,
    kind: Annotated[Kind | None, Query(description="Of a source that vouches for it.")] = None,
    ignored: bool | None = None,
    tag: Annotated[Line | None, Query(max_length=200)] = None,
    path: Annotated[Line | None, Query(max_length=500, description="Part of the path, in any case.")] = None,
) -> EndpointFilter:
    return EndpointFilter(method and method.upper(), state, requires_auth, source, kind, ignored, tag, path)
