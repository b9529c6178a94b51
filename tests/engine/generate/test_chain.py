from typing import Any

import pytest

from backend.app.engine.generate.case import Case, Expectation
from backend.app.engine.generate.chain import Chain, is_leaving, kind_of, parameter_need, words
from backend.app.engine.generate.requests import Inputs
from backend.app.engine.generate.values import ValueGenerator
from backend.app.engine.http import Answer, Request
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
)

PATH, QUERY = ParameterLocation.PATH, ParameterLocation.QUERY


def operation(method: str, path: str, **more: Any) -> Operation:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    schema = {"type": ["integer", "string"]}
    parameters = tuple(Parameter(name, PATH, True, schema, "simple") for name in names)
    return Operation(method, path, parameters=parameters + more.pop("parameters", ()), **more)


def chain(*operations: Operation) -> Chain:
    validator = SchemaValidator({})
    return Chain(ApiDescription("t", "1", "", (), operations), ValueGenerator({}, validator), validator)


def case(target: Operation, **values: Any) -> Case:
    parameters = {(item.location, item.name): values.get(item.name, 999) for item in target.parameters}
    return Case("valid", "", target, Inputs(parameters, **values.get("inputs", {})), Expectation.ACCEPTED)


def path_values(linked: Chain, target: Operation) -> dict[str, Any]:
    bound = linked.bind(case(target))
    return {name: value for (location, name), value in bound.inputs.parameters.items() if location is PATH}


CREATE = operation("POST", "/pets")
LIST = operation("GET", "/pets")
READ = operation("GET", "/pets/{petId}")
DELETE = operation("DELETE", "/pets/{petId}")


@pytest.mark.parametrize(
    ("path", "name", "kinds", "field"),
    [
        ("/pets/{petId}", "petId", ("pet",), "id"),
        ("/pets/{pet_id}", "pet_id", ("pet",), "id"),
        ("/pets/{id}", "id", ("pet",), "id"),
        ("/pets/{pet}", "pet", ("pet",), "id"),
        ("/users/{username}", "username", ("user",), "username"),
        ("/categories/{categoryUuid}", "categoryUuid", ("category",), "uuid"),
        ("/v1/order-items/{orderItemId}", "orderItemId", ("orderitem",), "id"),
        ("/accounts/{customerId}", "customerId", ("customer", "account"), "id"),
        ("/teams/name/{team_name}", "team_name", ("team",), "name"),
    ],
)
def test_what_a_path_parameter_asks_for(path: str, name: str, kinds: tuple[str, ...], field: str) -> None:
    need = parameter_need(operation("GET", path), name, PATH)
    assert need is not None
    assert (need.kinds, need.field) == (kinds, field)


def test_words_and_kinds() -> None:
    assert words("HTTPServerId") == ("http", "server", "id")
    assert kind_of("OrderItems") == kind_of("order_items") == kind_of("order-item") == "orderitem"
    assert [kind_of(name) for name in ("categories", "addresses", "boxes", "status", "buses")] == [
        "category",
        "address",
        "box",
        "status",
        "buse",
    ]


@pytest.mark.parametrize(
    ("producer", "status", "document"),
    [
        (CREATE, 201, {"id": 7}),
        (CREATE, 200, {"data": {"id": 7, "name": "Rex"}}),
        (CREATE, 201, {"petId": 7}),
        (LIST, 200, [{"id": 7}]),
        (LIST, 200, {"items": [{"id": 7}], "total": 1}),
        (LIST, 200, {"pets": [{"id": 7}]}),
        (operation("GET", "/visits"), 200, [{"id": 3, "pet_id": 7}]),
        (operation("GET", "/visits"), 200, [{"id": 3, "pet": {"id": 7}}]),
    ],
)
def test_an_answer_gives_the_id(producer: Operation, status: int, document: Any) -> None:
    linked = chain(CREATE, LIST, READ, producer)
    linked.observe(producer, Inputs(), Answer(status, ()), document)
    bound = linked.bind(case(READ))
    assert bound.inputs.parameters[PATH, "petId"] == 7
    assert not bound.invented


def test_without_an_answer_the_id_is_invented() -> None:
    bound = chain(CREATE, READ).bind(case(READ))
    assert bound.inputs.parameters[PATH, "petId"] == 999
    assert bound.invented


def test_a_guess_does_not_name_a_thing() -> None:
    create, read = operation("POST", "/artifacts"), operation("GET", "/artifacts/{key}/latest")
    linked = chain(create, read)
    linked.observe(create, Inputs(), Answer(201, ()), {"id": 7})
    assert linked.bind(case(read)).invented
    linked.observe(create, Inputs(), Answer(201, ()), {"id": 8, "key": "k8"})
    assert path_values(linked, read) == {"key": "k8"}


def test_ids_of_nobody_in_query_and_body_are_invented() -> None:
    schema = {"properties": {"owner_id": {"type": "integer"}}}
    store = operation("PUT", "/storage", body=RequestBody(True, (MediaType("application/json", schema),)))
    owner = Parameter("ownerId", QUERY, True, {"type": "integer"}, "form")
    search = operation("GET", "/search", parameters=(owner,))
    users = operation("GET", "/owners")
    linked = chain(store, search, users)
    in_body = {"inputs": {"body": {"owner_id": 5}, "media_type": "application/json"}}
    assert linked.bind(case(store, **in_body)).invented
    assert linked.bind(case(search)).invented
    linked.observe(users, Inputs(), Answer(200, ()), [{"id": 3}])
    assert linked.bind(case(store, **in_body)).inputs.body == {"owner_id": 3}
    assert not linked.bind(case(store, **in_body)).invented
    assert not linked.bind(case(search)).invented


def test_what_a_request_refers_to_can_be_made_again() -> None:
    make = operation("POST", "/users/{userId}/posts")
    create, read = operation("POST", "/users"), operation("GET", "/users/{userId}/posts/{postId}")
    linked = chain(create, make, read)
    first, second = Request("POST", "http://h/users"), Request("POST", "http://h/users/1/posts")
    linked.observe(create, Inputs(), Answer(201, ()), {"id": 1}, (first,))
    bound = linked.bind(case(make))
    linked.observe(make, bound.inputs, Answer(201, ()), {"id": 50}, (*bound.setup, second))
    assert bound.setup == (first,)
    assert linked.bind(case(read)).setup == (first, second)


def test_a_location_header_gives_the_id() -> None:
    linked = chain(CREATE, READ)
    linked.observe(CREATE, Inputs(), Answer(201, (("Location", "https://api.test/v1/pets/17"),)), None)
    assert path_values(linked, READ) == {"petId": 17}


def test_a_link_gives_the_id() -> None:
    links = {"read": {"operationId": "readPet", "parameters": {"petId": "$response.body#/made/0/key"}}}
    create = operation("POST", "/animals", responses=(ResponseSpec("201", links=links),))
    read = operation("GET", "/pets/{petId}", operation_id="readPet")
    linked = chain(create, read)
    linked.observe(create, Inputs(), Answer(201, ()), {"made": [{"key": "x9"}]})
    assert path_values(linked, read) == {"petId": "x9"}


def test_a_child_is_asked_for_below_its_own_parent() -> None:
    make = operation("POST", "/users/{userId}/posts")
    read = operation("GET", "/users/{userId}/posts/{postId}")
    users = operation("GET", "/users")
    linked = chain(make, read, users)
    linked.observe(users, Inputs(), Answer(200, ()), [{"id": 1}, {"id": 2}])
    linked.observe(make, Inputs({(PATH, "userId"): 2}), Answer(201, ()), {"id": 50})
    assert path_values(linked, read) == {"userId": 2, "postId": 50}


def test_delete_takes_only_what_was_created() -> None:
    linked = chain(CREATE, LIST, READ, DELETE)
    linked.observe(LIST, Inputs(), Answer(200, ()), [{"id": 1}])
    assert path_values(linked, READ) == {"petId": 1}
    assert path_values(linked, DELETE) == {"petId": 999}
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": 7})
    assert path_values(linked, DELETE) == {"petId": 7}
    # The same thing is not given to a second DELETE.
    assert path_values(linked, DELETE) == {"petId": 999}


def test_emptying_a_thing_does_not_use_it_up() -> None:
    empty = operation("DELETE", "/pets/{petId}/visits")
    linked = chain(CREATE, READ, DELETE, empty)
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": 7})
    assert linked.bind(case(empty)).resource is None
    assert path_values(linked, empty) == {"petId": 7}
    assert path_values(linked, DELETE) == {"petId": 7}


@pytest.mark.parametrize("path", ["/pets/search", "/users/{id}/follow", "/admin/pets"])
def test_what_another_place_answers_is_not_ours_to_delete(path: str) -> None:
    other = operation("POST", path)
    linked = chain(other, READ, DELETE)
    linked.observe(other, Inputs(), Answer(200, ()), {"id": 7})
    linked.observe(other, Inputs(), Answer(201, ()), {"id": 8})
    assert path_values(linked, DELETE) == {"petId": 999}


@pytest.mark.parametrize(
    ("path", "spared"), [("/pets", True), ("/users/me", True), ("/cart", False), ("/pets/{id}", False)]
)
def test_what_a_delete_without_an_id_would_hit_is_spared(path: str, spared: bool) -> None:
    target = operation("DELETE", path)
    assert bool(chain(CREATE, READ, target).why_spared(target)) is spared


def test_what_was_created_is_deleted_in_the_end() -> None:
    make = operation("POST", "/pets/{petId}/visits")
    drop = operation("DELETE", "/pets/{petId}/visits/{visitId}")
    linked = chain(CREATE, READ, DELETE, make, drop)
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": 7})
    linked.observe(make, Inputs({(PATH, "petId"): 7}), Answer(201, ()), {"id": 70})
    left = [(found.key, dict(values)) for found, values, _ in linked.leftovers()]
    assert left == [
        (drop.key, {(PATH, "petId"): 7, (PATH, "visitId"): 70}),
        (DELETE.key, {(PATH, "petId"): 7}),
    ]
    for _, _, resource in list(linked.leftovers()):
        linked.forget(resource)
    assert linked.count_leftovers() == 0


def test_ids_in_queries_and_bodies_are_bound() -> None:
    search = Operation(
        "GET", "/visits", parameters=(Parameter("pet_id", QUERY, True, {"type": "integer"}, "form", True),)
    )
    schema = {"type": "object", "properties": {"petId": {"type": "integer"}, "note": {"type": "string"}}}
    make = Operation("POST", "/visits", body=RequestBody(True, (MediaType("application/json", schema),)))
    linked = chain(CREATE, search, make)
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": 7})
    assert linked.bind(case(search)).inputs.parameters == {(QUERY, "pet_id"): 7}
    body = linked.bind(
        case(make, inputs={"body": {"petId": 1, "note": "x"}, "media_type": "application/json"})
    ).inputs.body
    assert body == {"petId": 7, "note": "x"}


def test_the_changed_part_is_sent_as_it_is() -> None:
    linked = chain(CREATE, READ)
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": 7})
    wrong = Case(
        "wrong_type",
        "",
        READ,
        Inputs({(PATH, "petId"): "word"}),
        Expectation.REJECTED,
        "path petId",
        fixed=frozenset({"path petId"}),
    )
    assert linked.bind(wrong).inputs.parameters == {(PATH, "petId"): "word"}


def test_an_id_that_breaks_the_parameters_schema_is_not_used() -> None:
    read = Operation(
        "GET", "/pets/{petId}", parameters=(Parameter("petId", PATH, True, {"type": "integer"}, "simple"),)
    )
    linked = chain(CREATE, read)
    linked.observe(CREATE, Inputs(), Answer(201, ()), {"id": "abc"})
    assert linked.bind(case(read)).invented


def test_creators_come_before_readers_and_readers_of_parents_before_children() -> None:
    make_user, read_user = operation("POST", "/users"), operation("GET", "/users/{userId}")
    make_post, read_post = operation("POST", "/users/{userId}/posts"), operation("GET", "/posts/{postId}")
    given = [read_post, make_post, read_user, make_user]
    order = [found.key for stage in chain(*given).stages(given) for found in stage]
    assert order.index("POST /users") < order.index("GET /users/{userId}")
    assert order.index("POST /users") < order.index("POST /users/{userId}/posts")
    assert order.index("POST /users/{userId}/posts") < order.index("GET /posts/{postId}")


def test_circles_of_needs_still_have_an_order() -> None:
    def needs(name: str) -> RequestBody:
        return RequestBody(True, (MediaType("application/json", {"properties": {name: {"type": "integer"}}}),))

    egg = Operation("POST", "/eggs", body=needs("henId"))
    hen = Operation("POST", "/hens", body=needs("eggId"))
    assert sorted(found.key for stage in chain(egg, hen).stages([egg, hen]) for found in stage) == [
        "POST /eggs",
        "POST /hens",
    ]


def test_operations_that_end_the_session_are_known() -> None:
    assert is_leaving(Operation("POST", "/auth/logout"))
    assert is_leaving(Operation("POST", "/session", operation_id="signOut"))
    assert not is_leaving(Operation("POST", "/auth/login"))
    assert not is_leaving(Operation("GET", "/logout"))
