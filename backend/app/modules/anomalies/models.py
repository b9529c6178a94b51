"""The table of verdicts. No foreign keys: `drop_anomalies` removes the rows of a deleted project."""

from datetime import datetime

from sqlalchemy import Float, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.app.db.base import Base
from backend.app.db.mixins import Identified, WorkspaceOwned
from backend.app.db.types import AnyText, UlidColumn, UtcDateTime


class AnomalyRecord(Identified, WorkspaceOwned, Base):
    """What one detector said about one metric of one endpoint in one scan.

    Anomalies are kept. Of what was usual only the latest scan's verdicts are, so that one can see why nothing was
    said; older ones would fill the table and can be worked out again from the scans.
    """

    __tablename__ = "anomalies"

    project_id: Mapped[str] = mapped_column(UlidColumn)
    endpoint_id: Mapped[str] = mapped_column(UlidColumn)
    scan_id: Mapped[str] = mapped_column(UlidColumn)
    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(AnyText)
    metric_type: Mapped[str] = mapped_column(String(20))
    detector: Mapped[str] = mapped_column(String(100))
    score: Mapped[float] = mapped_column(Float)
    is_anomalous: Mapped[bool]
    value: Mapped[float] = mapped_column(Float)
    samples: Mapped[int] = mapped_column(Integer)
    expected_low: Mapped[float | None] = mapped_column(Float)
    expected_high: Mapped[float | None] = mapped_column(Float)
    details: Mapped[str] = mapped_column(AnyText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("scan_id", "endpoint_id", "metric_type", "detector"),
        Index("ix_anomalies_project_id_is_anomalous_id", "project_id", "is_anomalous", "id"),
    )
