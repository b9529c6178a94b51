"""What two processes of the product know at the same time."""

from typing import Any

import httpx2
import pytest

from backend.app.modules.auth import dependencies
from backend.app.modules.auth.credentials.proven import ProvenCredentials


class TwoProcesses:
    """Two applications on one database, each with what it keeps of proven credentials, as two processes have."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._monkeypatch = monkeypatch
        self._kept = [ProvenCredentials(clock=lambda: self.now) for _ in range(2)]

    async def ask(self, number: int, client: httpx2.AsyncClient, method: str, path: str, **options: Any) -> Any:
        self._monkeypatch.setattr(dependencies, "proven", self._kept[number])
        return await client.request(method, path, **options)
