import pytest

from backend.app.engine.spec.servers import base_url_at, resolve_base_url

SPEC = "https://api.example.com/docs/openapi.json"


@pytest.mark.parametrize(
    ("servers", "spec_url", "override", "expected"),
    [
        (["https://api.example.com/v1/"], SPEC, None, "https://api.example.com/v1"),
        (["https://a.example/v1/"], SPEC, None, None),
        (["https://a.example/v1", "/v2"], SPEC, None, "https://api.example.com/v2"),
        (["https://a.example/v1"], SPEC, "http://127.0.0.1:9/x/", "http://127.0.0.1:9/x"),
        (["/v2"], SPEC, None, "https://api.example.com/v2"),
        (["v2"], SPEC, None, "https://api.example.com/docs/v2"),
        ([], SPEC, None, "https://api.example.com"),
        (["http://localhost:8000/v1"], SPEC, None, "https://api.example.com/v1"),
        (["http://localhost:8000"], "http://127.0.0.1:9/openapi.json", None, "http://localhost:8000"),
        (["https://{region}.example/"], SPEC, None, "https://api.example.com"),
        (["https://a.example"], "specs/a.yaml", None, "https://a.example"),
        (["/v1"], "specs/a.yaml", None, None),
        ([], None, None, None),
    ],
)
def test_the_base_url_follows_the_document(
    servers: list[str], spec_url: str | None, override: str | None, expected: str | None
) -> None:
    assert resolve_base_url(servers, spec_url, override) == expected


def test_an_address_that_a_person_named_keeps_its_host() -> None:
    assert base_url_at("http://127.0.0.1:5055/", ["https://httpbin.org/v1/"]) == "http://127.0.0.1:5055/v1"
    assert base_url_at("http://127.0.0.1:5055/docs/", []) == "http://127.0.0.1:5055"
