import pytest

from tests.support.git_host import GitHost, Repository


@pytest.fixture
def repository(host: GitHost) -> Repository:
    return host.repository()
