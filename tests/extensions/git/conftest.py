from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import git_host
from tests.support.git_host import GitHost, Repository


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[GitHost]:
    """A host that is trusted."""
    git_host.write_authority(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with git_host.serving() as host:
        yield host


@pytest.fixture
def repository(host: GitHost) -> Repository:
    return host.repository()
