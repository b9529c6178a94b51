"""What paths of code begin with is found out from who knows them whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.model import ApiDescription, Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, Evidence
from backend.app.modules.endpoints.inventory.prefixes import with_prefixes

UNKNOWN = "not known: settings.ROOT, root"


def code(*keys: str, unresolved: str = UNKNOWN, file: str = "app.py") -> Discovered:
    operations = [
        Operation(
            key.split(" ")[0],
            key.split(" ")[1],
            parameters=tuple(
                Parameter(part[1:-1], ParameterLocation.PATH, required=True)
                for part in key.split("/")
                if part.startswith("{")
            ),
        )
        for key in keys
    ]
    evidence = {
        each.key: Evidence((f"{file}:{line}",), unresolved=unresolved) for line, each in enumerate(operations, 1)
    }
    return Discovered(ApiDescription("", "", "source", operations=tuple(operations)), "flask", "app", evidence)


def paths(found: Discovered) -> list[str]:
    """Those that are still marked have a `?` before them."""
    return [f"{'?' if found.evidence[each.key].unresolved else ''}{each.key}" for each in found.description.operations]


def known(*keys: str) -> list[tuple[str, str]]:
    return [(method, path) for method, _, path in (key.partition(" ") for key in keys)]


def test_a_prefix_is_what_stands_before_the_paths_that_are_known_whole() -> None:
    found = code("GET /{settings.ROOT}/users", "GET /{settings.ROOT}/users/{id}", "POST /{settings.ROOT}/orders")
    whole, told = with_prefixes(found, known("GET /api/v2/users", "GET /api/v2/users/{userId}"))
    assert paths(whole) == [
        "?GET /{settings.ROOT}/users",
        "?GET /{settings.ROOT}/users/{id}",
        "?POST /{settings.ROOT}/orders",
    ]
    assert not told

    whole, told = with_prefixes(
        found, known("GET /api/v2/users", "GET /api/v2/users/{userId}", "POST /api/v2/orders", "GET /other/users")
    )
    assert paths(whole) == ["GET /api/v2/users", "GET /api/v2/users/{id}", "POST /api/v2/orders"]
    assert [each.name for each in whole.description.operations[1].parameters] == ["id"]
    assert [each.message for each in told] == [
        "3 paths of the code begin with /api/v2, which the code does not tell: 3 of them are known whole from elsewhere"
    ]


def test_an_empty_prefix_and_paths_that_nobody_else_knows() -> None:
    found = code(*(f"GET /{{root}}/{name}" for name in ("a", "b", "c", "d")), "GET /{root}/", "GET /{root}")
    whole, _ = with_prefixes(found, known("GET /a", "GET /b", "GET /c"))
    assert paths(whole) == ["GET /a", "GET /b", "GET /c", "GET /d", "GET /", "GET /"]


def test_a_router_whose_mount_was_not_found_is_completed_by_its_file() -> None:
    mark = "where the router is mounted was not found"
    users = code("GET /{id}/posts", "GET /search", "GET /", unresolved=mark, file="users.js")
    teams = code("GET /{id}/members", unresolved=mark, file="teams.js")
    both = Discovered(
        ApiDescription("", "", "source", operations=users.description.operations + teams.description.operations),
        "express",
        "app",
        {**users.evidence, **teams.evidence},
    )
    whole, _ = with_prefixes(both, known("GET /users/{id}/posts", "GET /users/search", "GET /teams/{id}/members"))
    assert paths(whole) == ["GET /users/{id}/posts", "GET /users/search", "GET /users/", "?GET /{id}/members"]


def test_a_prefix_with_a_parameter_declares_it() -> None:
    found = code("GET /{root}/a", "GET /{root}/b", "GET /{root}/c/{id}")
    whole, _ = with_prefixes(found, known("GET /t/{tenant}/a", "GET /t/{tenant}/b", "GET /t/{tenant}/c/{id}"))
    assert paths(whole)[2] == "GET /t/{tenant}/c/{id}"
    assert [each.name for each in whole.description.operations[2].parameters] == ["tenant", "id"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("GET /v1/a", "GET /v1/b", "GET /v1/c", "GET /v2/a", "GET /v2/b", "GET /v2/c"),
        ("POST /v1/a", "POST /v1/b", "POST /v1/c"),
        ("GET /xa", "GET /xb", "GET /xc"),
        ("GET /v1/a", "GET /v1/b"),
        (),
    ],
    ids=["two-versions", "other-methods", "no-border", "too-few", "nothing"],
)
def test_what_does_not_tell_clearly_leaves_the_mark(elsewhere: tuple[str, ...]) -> None:
    found = code("GET /{root}/a", "GET /{root}/b", "GET /{root}/c")
    whole, told = with_prefixes(found, known(*elsewhere))
    assert whole == found
    assert not told


def test_parameters_alone_tell_nothing() -> None:
    found = code("GET /{root}/{a}", "GET /{root}/{a}/{b}", "GET /{root}/{a}/{b}/{c}")
    whole, _ = with_prefixes(found, known("GET /x/{a}", "GET /x/{a}/{b}", "GET /x/{a}/{b}/{c}"))
    assert whole == found


NAMES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "{id}"]), min_size=1, max_size=3).map("/".join)


@given(st.lists(NAMES, min_size=1, max_size=8, unique=True), st.sampled_from(["", "/api", "/api/v1"]), st.booleans())
def test_what_is_known_whole_is_never_contradicted(rests: list[str], prefix: str, is_unmounted: bool) -> None:
    """Every path is completed by the one prefix there is, or left as it was."""
    mark = "where the router is mounted was not found" if is_unmounted else UNKNOWN
    keys = [f"GET /{rest}" if is_unmounted else f"GET /{{root}}/{rest}" for rest in rests]
    found = code(*keys, unresolved=mark)
    whole, _ = with_prefixes(found, known(*(f"GET {prefix}/{rest}" for rest in rests)))
    right = [f"GET {prefix}/{rest}" for rest in rests]
    assert paths(whole) in (right, paths(found))
