"""What the job of a scan has to do, and where."""

from dataclasses import dataclass

from backend.app.engine.scan import ScanLimits, ScanType
from backend.app.engine.spec.servers import target_url
from backend.app.modules.endpoints.service import Inventory
from backend.app.modules.projects.schemas import TargetAuth


@dataclass(frozen=True, slots=True)
class ScanOrder:
    """What the job of a scan has to do."""

    scan_id: str
    project_id: str
    scan_type: ScanType
    seed: int
    limits: ScanLimits
    base_url: str
    inventory: Inventory
    auth: TargetAuth


def target_of(base_url: str | None, inventory: Inventory) -> str | None:
    """Where the paths of the inventory begin; None when nothing says it."""
    return target_url(base_url, inventory.description.servers, inventory.location)
