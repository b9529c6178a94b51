"""What is learnt from paths alone, and from what came back."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.captures.templates import Names, Seen, learn, named, segments_of

USER = {"id", "name", "email"}


def templates_of(paths: Iterable[str], answers: dict[str, set[str]] | None = None) -> set[str]:
    """Of GET requests; `answers` has the names of the members of what came back, by path."""
    known = [
        (segments_of(path), Seen({"GET"}, {"GET": (answers or {}).get(path, set())} if answers else {}))
        for path in paths
    ]
    templates = learn(known)
    return {"/" + "/".join(named(templates.of(path), {}, {})) for path, _ in known}


def test_values_by_form_are_named_after_the_segment_before() -> None:
    assert templates_of(
        [
            "/users/8f3a9c1e2b",
            "/users/01ARZ3NDEKTSV4RRFFQ69G5FAV/orders/17",
            "/categories/4/boxes/5",
            "/v1/7",
            "/addresses/1/statuses/2",
            "/userProfiles/12",
        ]
    ) == {
        "/users/{user_id}",
        "/users/{user_id}/orders/{order_id}",
        "/categories/{category_id}/boxes/{box_id}",
        "/v1/{id}",
        "/addresses/{address_id}/statuses/{status_id}",
        "/userProfiles/{user_profile_id}",
    }


def test_two_parameters_of_a_path_have_two_names() -> None:
    assert templates_of(["/links/10/0"]) == {"/links/{link_id}/{id}"}
    assert templates_of(["/10/20"]) == {"/{id}/{id_2}"}


def test_few_names_stay_literal() -> None:
    paths = {
        "/v1/users",
        "/v1/users/me",
        "/v1/users/search",
        "/v1/orders",
        "/v2/users",
        "/rest/api/2/issue",
        "/1.1/search",
        "/3/movies",
        "/99/actors",
    }
    assert templates_of(paths) == paths


def test_many_plain_numbers_at_the_root_are_values_and_few_are_versions() -> None:
    assert templates_of(f"/{number}/posts" for number in range(1, 6)) == {"/{id}/posts"}
    assert templates_of(["/3/movies/550", "/4/movies/550"]) == {"/3/movies/{movie_id}", "/4/movies/{movie_id}"}


def test_values_that_are_words_are_learnt_from_what_they_answer() -> None:
    paths = ["/users/ann", "/users/bob", "/users/carol", "/users/stats", "/users/me"]
    answers = {path: {"total", "active"} if path.endswith("stats") else USER for path in paths}
    assert templates_of(paths, answers) == {"/users/{user_id}", "/users/stats", "/users/me"}


def test_names_that_answer_differently_stay_literal() -> None:
    answers = {
        "/api/weather": {"temperature", "wind", "rain"},
        "/api/traffic": {"jams", "roads", "speed"},
        "/api/parking": {"free", "places", "level"},
        "/api/bikes": {"stations", "available", "docked"},
    }
    assert templates_of(answers, answers) == set(answers)


def test_collections_with_items_below_stay_literal_though_they_answer_alike() -> None:
    names = ["users", "orders", "products", "invoices"]
    paths = [f"/api/{name}" for name in names] + [f"/api/{name}/{number}" for name in names for number in (1, 2)]
    assert templates_of(paths, {path: {"items", "total", "page"} for path in paths}) == {
        *(f"/api/{name}" for name in names),
        *(f"/api/{name}/{{{name[:-1]}_id}}" for name in names),
    }


def test_a_value_beside_values_by_form_is_known_by_one_answer() -> None:
    paths = ["/users/17", "/users/ann", "/users/export"]
    answers = {"/users/17": USER, "/users/ann": USER, "/users/export": {"url", "expires", "rows"}}
    assert templates_of(paths, answers) == {"/users/{user_id}", "/users/export"}


def test_slugs_are_learnt_without_answers() -> None:
    slugs = ["how-to-train-a-dog", "why-cats-purr-at-night", "ten-birds-to-know-in-2024", "all-about-fish-and-chips"]
    assert templates_of(f"/articles/{slug}" for slug in slugs) == {"/articles/{article_id}"}


def test_words_with_the_same_below_them_are_values() -> None:
    paths = [f"/repos/{owner}/issues" for owner in ("ada", "grace", "edsger")]
    assert templates_of(paths) == {"/repos/{repo_id}/issues"}


def templates_by_method(requests: dict[str, set[str]]) -> set[str]:
    """Of `GET /path` with the names of the members of what came back."""
    known = []
    for request, answer in requests.items():
        method, path = request.split()
        known.append((segments_of(path), Seen({method}, {method: answer} if answer else {})))
    templates = learn(known)
    return {"/" + "/".join(named(templates.of(path), {}, {})) for path, _ in known}


POOL = {"id", "name", "limit"}


def test_items_are_known_by_how_they_are_treated_however_many_names_stand_beside_them() -> None:
    requests = {f"{method} /api/pools/{name}": POOL for name in ("gpu", "spare") for method in ("GET", "PATCH")}
    others = {f"POST /api/pools/{name}": {"results", name} for name in ("filter", "export", "paginate", "lateness")}
    assert templates_by_method(requests | others | {"GET /api/pools/me": POOL}) == {
        "/api/pools/{pool_id}",
        "/api/pools/me",
        *(f"/api/pools/{name}" for name in ("filter", "export", "paginate", "lateness")),
    }


def test_two_items_with_the_same_below_them_are_enough_when_they_answer_alike() -> None:
    requests = {f"GET /limits/tag/{name}": POOL for name in ("db", "mail")}
    resets: dict[str, set[str]] = {f"POST /limits/tag/{name}/reset": set() for name in ("db", "mail")}
    assert templates_by_method(requests | resets) == {"/limits/tag/{tag_id}", "/limits/tag/{tag_id}/reset"}


def test_what_is_learnt_of_some_tells_of_others() -> None:
    requests = {f"GET /kinds/slug/{name}": POOL for name in ("aws", "gcp", "azure")}
    below: dict[str, set[str]] = {f"GET /kinds/slug/{name}/documents": set() for name in ("aws", "gcp", "secret")}
    assert templates_by_method(requests | below) == {"/kinds/slug/{slug_id}", "/kinds/slug/{slug_id}/documents"}


def test_items_that_are_only_deleted_are_told_from_actions() -> None:
    requests: dict[str, set[str]] = {f"DELETE /pools/7/workers/{name}": set() for name in ("ann", "bob")}
    assert templates_by_method({**requests, "POST /pools/7/workers/heartbeat": set()}) == {
        "/pools/{pool_id}/workers/{worker_id}",
        "/pools/{pool_id}/workers/heartbeat",
    }


def test_parts_of_settings_are_changed_as_items_are_and_are_none() -> None:
    requests: dict[str, set[str]] = {f"PUT /settings/{name}": set() for name in ("theme", "mail")}
    assert templates_by_method(requests) == {"/settings/theme", "/settings/mail"}


def test_coordinates_sizes_and_numbered_files_are_values_by_form() -> None:
    for value in ("12.5,41.9", "256x256.png", "-1.5,2,3,4.5", "47.png", "190@2x.png", "17.json"):
        assert templates_of([f"/tiles/{value}"]) == {"/tiles/{tile_id}"}, value


def test_words_with_the_extension_of_a_format_are_names_beside_a_value() -> None:
    paths = {"/cog/info.geojson", "/cog/capabilities.xml", "/cog/{cog_id}/map.html"}
    assert templates_of({*paths - {"/cog/{cog_id}/map.html"}, "/cog/7/map.html"}) == paths


def test_maps_tell_that_several_words_are_values() -> None:
    paths = [f"/colors/{name}" for name in ("red", "plasma", "accent")]
    assert templates_of(paths, {path: {"{}"} for path in paths}) == {"/colors/{color_id}"}
    assert len(templates_of(paths[:2], {path: {"{}"} for path in paths[:2]})) == 2


def test_what_was_not_learnt_from_is_matched() -> None:
    templates = learn([(segments_of(path), Seen({"GET"})) for path in ("/users/1", "/users/search")])
    assert templates.of(segments_of("/users/nobody")) == ("users", "{}")
    assert templates.of(segments_of("/users/search")) == ("users", "search")
    assert templates.of(segments_of("/else/where")) == ("else", "where")


@pytest.mark.parametrize("path", ["/jobs/17:cancel", "/jobs/{job}:cancel"])
def test_an_action_behind_a_value_is_kept(path: str) -> None:
    assert next(iter(templates_of([path]))).endswith(":cancel")


SEGMENTS = st.one_of(
    st.sampled_from(["users", "orders", "me", "v1", "search", "ann", "bob", "carol", "dave", "a-b-c", "x-y-z", "{id}"]),
    st.integers(0, 10**6).map(str),
    st.uuids().map(str),
    st.text(max_size=6),
)
PATHS = st.lists(st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts)), max_size=30)


@given(PATHS, st.randoms(use_true_random=False))
def test_the_order_of_paths_makes_no_difference(paths: list[str], random: object) -> None:
    shuffled = list(paths)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert templates_of(paths) == templates_of(shuffled)


@given(PATHS)
def test_the_templates_of_templates_are_themselves(paths: list[str]) -> None:
    once = templates_of(paths)
    assert templates_of(once) == once


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "me", "17", "2024", "x-y"]), max_size=4).map("/".join), unique=True)
)
def test_names_that_are_known_stay(paths: list[str]) -> None:
    names = Names(f"/{path}" for path in paths)
    assert ["/".join(segments_of(f"/{path}", names)) for path in paths] == paths
    known = [(segments_of(f"/{path}", names), Seen({"GET"}, {"GET": USER})) for path in paths]
    templates = learn(known, names)
    assert ["/".join(templates.of(path)) for path, _ in known] == paths


def test_a_slash_at_the_end_makes_no_difference() -> None:
    answers = {f"/api/users/{name}/": USER for name in ("ann", "bob", "eve")} | {
        "/api/users/search/": {"hits", "total"}
    }
    assert templates_of(answers, answers) == {"/api/users/{user_id}/", "/api/users/search/"}


def test_words_that_are_only_posted_to_are_what_is_done() -> None:
    paths = ["/builders/forest", "/builders/linear", "/builders/clusters"]
    answers = {"job", "id", "state", "progress"}

    def learnt(method: str) -> set[str]:
        known = [(segments_of(path), Seen({method}, {method: answers})) for path in paths]
        templates = learn(known)
        return {"/" + "/".join(templates.of(path)) for path, _ in known}

    assert learnt("POST") == set(paths)
    assert learnt("GET") == {"/builders/{}"}


def test_names_of_what_is_done_are_no_values() -> None:
    experiment = {"id", "name", "stage", "tags"}
    paths = {"/experiments/get", "/experiments/get-by-name", "/experiments/listAll", "/experiments/search"}
    assert templates_of(paths, dict.fromkeys(paths, experiment)) == paths


@pytest.mark.parametrize(("method", "template"), [("DELETE", "/tags/{}"), ("GET", "/tags/blue")])
def test_who_deletes_one_of_several_things_names_it(method: str, template: str) -> None:
    path = segments_of("/posts/7/tags/blue")
    assert "/" + "/".join(learn([(path, Seen({method}))]).of(path)) == f"/posts/{{}}{template}"
    own = segments_of("/account/tags/all")
    assert learn([(own, Seen({"DELETE"}))]).of(own) == own
