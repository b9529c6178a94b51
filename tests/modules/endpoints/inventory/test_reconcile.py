"""One inventory from what several sources say."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.model import ApiDescription, Operation, Parameter, ParameterLocation
from backend.app.modules.endpoints.discovery import Discovered, Evidence, Kind
from backend.app.modules.endpoints.inventory.reconcile import (
    Claim,
    Endpoint,
    EndpointState,
    Reconciliation,
    evidence_from_json,
    evidence_to_json,
)

BASE = "http://api.test/v1"
ALIVE, ABSENT = Evidence(("seen",), alive=True), Evidence(("not seen",), alive=False)


def said(*keys: str, servers: tuple[str, ...] = (), evidence: Evidence | None = None, **members: Any) -> Discovered:
    """A source that names operations: `GET /users`."""
    operations = tuple(Operation(key.split(" ")[0], key.split(" ")[1], **members) for key in keys)
    return Discovered(
        ApiDescription("t", "1", "d", servers, operations),
        "source",
        "where",
        {} if evidence is None else dict.fromkeys(keys, evidence),
    )


def states(reconciliation: Reconciliation) -> Mapping[str, str]:
    documented = any(Kind.DOCUMENT in each.kinds for each in reconciliation.endpoints)
    return {
        each.key: each.state(documented_elsewhere=documented, deprecated=False) for each in reconciliation.endpoints
    }


def test_who_vouches_decides_the_state() -> None:
    all_of_them = Reconciliation(BASE)
    all_of_them.take(said("GET /both", "GET /spec", "GET /dead"), Kind.DOCUMENT, "openapi")
    all_of_them.take(said("GET /v1/both", "GET /v1/code"), Kind.CODE, "source")
    all_of_them.take(said("GET /both", "GET /shadow", servers=(BASE,), evidence=ALIVE), Kind.TRAFFIC, "capture:a")
    all_of_them.take(said("GET /dead", "GET /code", servers=(BASE,), evidence=ABSENT), Kind.LIVE, "probe")
    assert states(all_of_them) == {
        "GET /both": EndpointState.ACTIVE,
        "GET /spec": EndpointState.ACTIVE,
        "GET /dead": EndpointState.DEAD,
        "GET /code": EndpointState.UNDOCUMENTED,
        "GET /shadow": EndpointState.SHADOW,
    }


NAMED = Evidence(("named",))


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize("deprecated", [True, False])
def test_every_combination_of_sources_has_the_state_of_the_guide(*, elsewhere: bool, deprecated: bool) -> None:
    there = EndpointState.DEPRECATED if deprecated else EndpointState.ACTIVE
    for document, code, traffic, live in product(
        (None, NAMED), (None, NAMED), (None, NAMED, ALIVE), (None, NAMED, ALIVE, ABSENT)
    ):
        kinds = zip(Kind, (document, code, traffic, live), strict=True)
        claims: dict[str, Claim] = {
            kind: Claim(kind, kind, "", "", said, None) for kind, said in kinds if said is not None
        }
        state = Endpoint("id", "GET", "/a", claims).state(documented_elsewhere=elsewhere, deprecated=deprecated)
        answers = live is ALIVE or (traffic is ALIVE and live is not ABSENT)
        if not any((document, code, traffic)) and live in (None, ABSENT):
            expected = EndpointState.GONE
        elif document:
            expected = EndpointState.DEAD if live is ABSENT else there
        elif answers:
            expected = EndpointState.SHADOW if elsewhere else there
        else:
            expected = EndpointState.UNDOCUMENTED
        assert state == expected, (document, code, traffic, live)


def test_without_any_document_nothing_is_a_shadow() -> None:
    seen = Reconciliation(BASE)
    seen.take(said("GET /a", servers=(BASE,), evidence=ALIVE), Kind.TRAFFIC, "capture:a")
    assert states(seen) == {"GET /a": EndpointState.ACTIVE}


def test_what_answers_to_us_counts_more_than_what_answered_to_others() -> None:
    seen = Reconciliation(BASE)
    seen.take(said("GET /a"), Kind.DOCUMENT, "openapi")
    seen.take(said("GET /a", servers=(BASE,), evidence=ALIVE), Kind.TRAFFIC, "capture:a")
    seen.take(said("GET /a", servers=(BASE,), evidence=ABSENT), Kind.LIVE, "probe")
    assert states(seen) == {"GET /a": EndpointState.DEAD}


def test_the_description_itself_is_no_shadow() -> None:
    seen = Reconciliation(BASE)
    document = said("GET /a")
    seen.take(Discovered(document.description, "openapi-3.1", "http://api.test/spec.json"), Kind.DOCUMENT, "openapi")
    live = said("GET /spec.json", servers=("http://api.test",), evidence=ALIVE)
    seen.take(live, Kind.LIVE, "probe")
    assert states(seen) == {"GET /a": EndpointState.ACTIVE}
    later = Reconciliation(BASE, seen.endpoints, ["http://api.test/spec.json"])
    later.take(live, Kind.LIVE, "probe")
    assert states(later) == {"GET /a": EndpointState.ACTIVE}


def test_an_answer_of_today_counts_more_than_one_of_before() -> None:
    before = Reconciliation(BASE)
    before.take(said("GET /a"), Kind.DOCUMENT, "openapi")
    before.take(said("GET /a", servers=(BASE,), evidence=ALIVE), Kind.LIVE, "crawl")
    (endpoint,) = before.endpoints
    endpoint.news.clear()
    today = Reconciliation(BASE, [endpoint])
    today.take(said("GET /a", servers=(BASE,), evidence=ABSENT), Kind.LIVE, "probe")
    assert states(today) == {"GET /a": EndpointState.DEAD}
    assert sorted(endpoint.claims) == ["openapi", "probe"]


def test_nothing_is_made_of_what_no_source_vouches_for() -> None:
    seen = Reconciliation(BASE)
    seen.take(said("GET /a", servers=(BASE,), evidence=ABSENT), Kind.LIVE, "probe")
    assert seen.endpoints == []


@pytest.mark.parametrize("code", ["/v1/users/{user_id}", "/users/{uid}"])
def test_names_of_parameters_and_the_prefix_of_a_proxy_do_not_matter(code: str) -> None:
    merged = Reconciliation(BASE)
    merged.take(said("GET /users/{id}"), Kind.DOCUMENT, "openapi")
    merged.take(said(f"GET {code}"), Kind.CODE, "source")
    merged.take(said("GET /users/{userId}", servers=(BASE,), evidence=ALIVE), Kind.TRAFFIC, "capture:a")
    (endpoint,) = merged.endpoints
    assert (endpoint.path, sorted(endpoint.claims)) == ("/users/{id}", ["capture:a", "openapi", "source"])
    assert endpoint.kinds == [Kind.DOCUMENT, Kind.CODE, Kind.TRAFFIC]


def test_what_stands_beside_the_base_is_not_what_stands_below_it() -> None:
    both = Reconciliation(BASE)
    both.take(said("GET /health"), Kind.DOCUMENT, "openapi")
    both.take(said("GET /health", servers=("http://api.test",), evidence=ALIVE), Kind.LIVE, "probe")
    below, beside = both.endpoints
    assert (below.path, below.from_root, beside.path, beside.from_root) == ("/health", False, "/health", True)
    assert beside.merged().server == "/"


def test_a_literal_path_that_was_seen_belongs_to_the_most_literal_template() -> None:
    seen = Reconciliation(BASE)
    seen.take(said("GET /{kind}/{name}", "GET /repos/{name}", "GET /repos/new"), Kind.DOCUMENT, "openapi")
    seen.take(
        said("GET /repos/touchstone", "GET /repos/new", "GET /repos/a/b", servers=(BASE,), evidence=ALIVE),
        Kind.TRAFFIC,
        "capture:a",
    )
    assert {each.path: "capture:a" in each.claims for each in seen.endpoints} == {
        "/{kind}/{name}": False,
        "/repos/{name}": True,
        "/repos/new": True,
        "/repos/a/b": True,
    }


def test_documents_with_names_stand_below_their_own_servers() -> None:
    several = Reconciliation(BASE)
    several.take(said("GET /users"), Kind.DOCUMENT, "openapi")
    for name, server in (("v1", "https://other.test/v1"), ("v2", "v2"), ("root", "/")):
        several.take(replace(said("GET /users", servers=(server,)), slot=name), Kind.DOCUMENT, f"openapi:{name}")
    assert {(each.path, each.from_root): sorted(each.claims) for each in several.endpoints} == {
        ("/users", False): ["openapi", "openapi:v1"],
        ("/v2/users", True): ["openapi:v2"],
        ("/users", True): ["openapi:root"],
    }
    several.forget("openapi:v1")
    several.forget("openapi:v2")
    assert list(states(several).values()).count(EndpointState.GONE) == 1


def test_two_templates_of_one_shape_in_a_document_stay_two() -> None:
    twice = Reconciliation()
    for _ in range(2):
        twice.take(said("GET /a/{x}", "GET /a/{y}"), Kind.DOCUMENT, "openapi")
        assert [each.path for each in twice.endpoints] == ["/a/{x}", "/a/{y}"]


def test_a_route_for_any_method_vouches_for_those_that_others_name() -> None:
    routes = Reconciliation()
    routes.take(said("GET /a/{id}", "POST /a/{id}"), Kind.DOCUMENT, "openapi")
    routes.take(said("* /a/{key}", "* /b"), Kind.CODE, "source")
    assert {each.key: sorted(each.claims) for each in routes.endpoints} == {
        "GET /a/{id}": ["openapi", "source"],
        "POST /a/{id}": ["openapi", "source"],
        "* /b": ["source"],
    }
    routes.take(said("* /a/{key}", "* /b"), Kind.CODE, "source")
    assert len(routes.endpoints) == 3


def test_documents_and_code_say_all_each_time_and_traffic_adds_up() -> None:
    twice = Reconciliation(BASE)
    for kind, slot in ((Kind.DOCUMENT, "openapi"), (Kind.CODE, "source"), (Kind.TRAFFIC, "capture:a")):
        twice.take(said(f"GET /{slot}", servers=(BASE,), evidence=ALIVE), kind, slot)
        twice.take(said("GET /other", servers=(BASE,), evidence=ALIVE), kind, slot)
    assert {each.path: sorted(each.claims) for each in twice.endpoints} == {
        "/openapi": [],
        "/source": [],
        "/capture:a": ["capture:a"],
        "/other": ["capture:a", "openapi", "source"],
    }


def test_requests_of_other_hosts_are_left_out_and_reported() -> None:
    seen = Reconciliation(BASE)
    found = said("GET /v1/a", servers=("http://api.test",), evidence=ALIVE)
    other = Operation("GET", "/track", server="http://ads.test")
    description = ApiDescription("t", "1", "d", found.description.servers, (*found.description.operations, other))
    seen.take(Discovered(description, "har", "a", found.evidence), Kind.TRAFFIC, "capture:a")
    assert [each.key for each in seen.endpoints] == ["GET /a"]
    assert [fault.pointer for fault in seen.faults["capture:a"]] == ["ads.test"]


def test_another_installation_shows_the_same_api() -> None:
    seen = Reconciliation(BASE)
    seen.take(said("GET /v1/a", servers=("http://localhost:8000",), evidence=ALIVE), Kind.TRAFFIC, "capture:a")
    assert [each.key for each in seen.endpoints] == ["GET /a"]


def test_what_a_document_leaves_out_is_left_out_and_what_others_leave_out_is_filled_in() -> None:
    extra = Parameter("page", ParameterLocation.QUERY)
    for first, expected in ((Kind.DOCUMENT, ()), (Kind.CODE, (extra,))):
        merged = Reconciliation()
        merged.take(said("GET /a"), first, "first")
        merged.take(said("GET /a", evidence=ALIVE, parameters=(extra,)), Kind.TRAFFIC, "capture:a")
        (endpoint,) = merged.endpoints
        assert endpoint.merged().parameters == expected


KEYS = st.lists(st.sampled_from(["GET /a", "GET /a/{x}", "POST /a", "GET /b/{x}/c", "GET /a/7"]), unique=True)
SOURCES = st.lists(st.tuples(st.sampled_from(list(Kind)), KEYS), max_size=5).map(
    lambda sources: sorted(sources, key=lambda source: list(Kind).index(source[0]))
)


@given(SOURCES)
def test_taking_the_same_twice_changes_nothing(sources: list[tuple[Kind, list[str]]]) -> None:
    once = Reconciliation()
    takes = [
        (said(*keys, evidence=ALIVE if kind in (Kind.TRAFFIC, Kind.LIVE) else None), kind, f"{kind}:{number}")
        for number, (kind, keys) in enumerate(sources)
    ]
    for take in takes:
        once.take(*take)
    first = {(each.key, *sorted(each.claims)) for each in once.endpoints if each.vouching}
    for take in takes:
        once.take(*take)
    assert {(each.key, *sorted(each.claims)) for each in once.endpoints if each.vouching} == first
    known = {(each.method, each.path) for each in once.endpoints}
    assert len(known) == len(once.endpoints), "no endpoint stands twice"


@given(
    st.builds(
        Evidence,
        st.lists(st.text(max_size=5), max_size=3).map(tuple),
        st.sampled_from([True, False, None]),
        st.sampled_from([True, False, None]),
        st.text(max_size=5),
        st.integers(0, 9),
    )
)
def test_evidence_is_kept_as_it_is(evidence: Evidence) -> None:
    assert evidence_from_json(evidence_to_json(evidence)) == evidence


def test_what_is_not_known_of_a_path_takes_no_value() -> None:
    seen = Reconciliation(BASE)
    marked = Evidence(("app.py:1",), unresolved="not known: settings.ROOT")
    seen.take(said("GET /v1/{settings.ROOT}/", evidence=marked), Kind.CODE, "source")
    seen.take(said("GET /users/", servers=(BASE,), evidence=ALIVE), Kind.LIVE, "crawl")
    assert sorted(states(seen)) == ["GET /users/", "GET /{settings.ROOT}/"]


@pytest.mark.parametrize("before", [False, True], ids=["at-once", "later"])
def test_prefixes_of_code_are_found_out_from_all_other_sources(before: bool) -> None:
    """Documents say paths below the base URL, traffic says URLs, code says paths from the root."""
    marked = Evidence(("app.py:1",), unresolved="not known: settings.ROOT")
    others = [
        (said("GET /users", "GET /orders"), Kind.DOCUMENT, "openapi"),
        (said("GET /users/{id}", servers=(BASE,), evidence=ALIVE), Kind.TRAFFIC, "capture:a"),
    ]
    code = said("GET /{settings.ROOT}/users", "GET /{settings.ROOT}/orders", "GET /{settings.ROOT}/users/{key}")
    code = replace(code, evidence=dict.fromkeys((each.key for each in code.description.operations), marked))
    seen = Reconciliation(BASE)
    if before:
        seen.take_all(others)
        seen = Reconciliation(BASE, seen.endpoints)
        others = []
    seen.take_all([(code, Kind.CODE, "source"), *others])
    assert {each.key: [*each.kinds] for each in seen.endpoints} == {
        "GET /users": [Kind.DOCUMENT, Kind.CODE],
        "GET /orders": [Kind.DOCUMENT, Kind.CODE],
        f"GET /users/{'{id}' if before else '{key}'}": [Kind.CODE, Kind.TRAFFIC],
    }
    assert not any(each.unresolved for each in seen.endpoints)
    assert len(seen.faults["source"]) == 1
