import pytest

from backend.app.engine.spec.model import ApiDescription
from backend.app.modules.endpoints.service import Inventory
from backend.app.modules.scans.sweep.order import target_of


@pytest.mark.parametrize(
    ("base_url", "servers", "location", "expected"),
    [
        ("http://api.test", (), "request", "http://api.test"),
        ("http://api.test/v2", ("/v1",), "request", "http://api.test/v2"),
        ("http://api.test", ("/v1",), "request", "http://api.test/v1"),
        ("http://api.test/", ("http://api.test/v1",), "request", "http://api.test/v1"),
        ("http://staging.test", ("http://api.test/v1",), "request", "http://staging.test"),
        (None, ("/v1",), "http://api.test/docs/openapi.json", "http://api.test/v1"),
        (None, (), "http://api.test/docs/openapi.json", "http://api.test"),
        (None, ("https://api.test/v1",), "request", "https://api.test/v1"),
        (None, ("/v1",), "request", None),
    ],
)
def test_where_the_paths_begin(
    base_url: str | None, servers: tuple[str, ...], location: str, expected: str | None
) -> None:
    inventory = Inventory(ApiDescription("t", "1", "openapi-3.1", servers), {}, location)
    found = target_of(base_url, inventory)
    assert (found and found.rstrip("/")) == expected
