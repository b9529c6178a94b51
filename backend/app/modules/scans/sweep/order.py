"""What the job of a scan has to do, and where."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from backend.app.engine.scan import ScanLimits, ScanType
from backend.app.engine.spec.servers import resolve_base_url
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


def target_url(base_url: str | None, inventory: Inventory) -> str | None:
    """Where the paths of the description begin.

    A `base_url` with a path is taken as it is. One without gets the path of the description's server, if that is
    relative or on the same origin. Without a `base_url` the description, and where it was found, decide.
    """
    servers = inventory.description.servers
    if base_url is None:
        return resolve_base_url(servers, spec_url=inventory.location)
    if urlsplit(base_url).path not in ("", "/"):
        return base_url
    resolved = resolve_base_url(servers, spec_url=base_url)
    same = resolved is not None and urlsplit(resolved)[:2] == urlsplit(base_url)[:2]
    return resolved if same else base_url
