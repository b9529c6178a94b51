from backend.app.engine.spec.guess import spec_candidates


def test_candidates_stand_below_the_url_and_below_the_root() -> None:
    candidates = spec_candidates("https://api.example/v2/docs/index.html?x=1#top")
    assert candidates[:2] == ["https://api.example/v2/docs/", "https://api.example/v2/docs/openapi.json"]
    assert "https://api.example/v2/swagger.json" in candidates
    assert "https://api.example/v3/api-docs" in candidates
    assert len(candidates) == len(set(candidates))


def test_a_bare_host_is_enough() -> None:
    assert spec_candidates("http://localhost:8000")[:2] == [
        "http://localhost:8000/openapi.json",
        "http://localhost:8000/swagger.json",
    ]
