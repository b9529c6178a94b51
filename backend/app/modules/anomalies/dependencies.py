"""How a request gets its service and its filter."""

from typing import Annotated

from fastapi import Depends, Query

from backend.app.core.context import ServiceContext
from backend.app.core.ids import Ulid
from backend.app.core.runtime import service_context
from backend.app.modules.anomalies.detectors import MetricType
from backend.app.modules.anomalies.repository import AnomalyFilter
from backend.app.modules.anomalies.service import AnomalyService


async def anomaly_service(context: Annotated[ServiceContext, Depends(service_context)]) -> AnomalyService:
    return AnomalyService(context)


async def anomaly_filter(
    is_anomalous: Annotated[
        bool, Query(description="False lists what was usual; that is kept of the latest scan only.")
    ] = True,
    metric_type: MetricType | None = None,
    endpoint_id: Ulid | None = None,
) -> AnomalyFilter:
    return AnomalyFilter(is_anomalous, metric_type, endpoint_id)
