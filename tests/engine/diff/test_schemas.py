"""Rules on schemas, in requests and in responses."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backend.app.engine.diff import Change, Severity, diff_descriptions, worst
from backend.app.engine.generate.values import NoValueError, ValueGenerator
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
)

Definitions = Mapping[str, Schema]
B, R, S = "breaking", "risky", "safe"


def requesting(schema: Schema, definitions: Definitions | None = None) -> ApiDescription:
    operation = Operation("POST", "/a", body=RequestBody(True, (MediaType("application/json", schema),)))
    return ApiDescription("", "", "", operations=(operation,), definitions=definitions or {})


def answering(schema: Schema, definitions: Definitions | None = None) -> ApiDescription:
    operation = Operation("GET", "/a", responses=(ResponseSpec("200", (MediaType("application/json", schema),)),))
    return ApiDescription("", "", "", operations=(operation,), definitions=definitions or {})


def severities(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.rule.removeprefix("request.").removeprefix("response."): change.severity.value for change in changes}


def thing(required: str = "", **properties: Schema) -> dict[str, Any]:
    """`required` are names with spaces between them."""
    return {"type": "object", "properties": properties} | ({"required": required.split()} if required else {})


TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
INTEGER: dict[str, Any] = {"type": "integer"}
CAT = thing("kind", kind={"const": "cat"})
DOG = thing("kind", kind={"const": "dog"})


@pytest.mark.parametrize(
    ("old", "new", "request_", "response", "back_in_request"),
    [
        # What the pair is called in a request and in a response, and the worst of the way back in a request.
        (INTEGER, NUMBER, {"type.widened": S}, {"type.widened": B}, B),
        (TEXT, INTEGER, {"type.replaced": B}, {"type.replaced": B}, B),
        (TEXT, {"type": ["string", "null"]}, {"null.widened": S}, {"null.widened": B}, B),
        (TEXT, {"anyOf": [TEXT, {"type": "null"}]}, {"null.widened": S}, {"null.widened": B}, B),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, {"enum.widened": S}, {"enum.widened": R}, B),
        ({"const": 1}, {"enum": [1.0]}, {}, {}, None),
        ({"type": "string", "enum": ["a"]}, TEXT, {"enum.widened": S}, {"enum.widened": R}, B),
        (
            {"type": "string", "maxLength": 2},
            {"type": "string", "maxLength": 3},
            {"size.widened": S},
            {"size.widened": R},
            B,
        ),
        (
            {"type": "number", "minimum": 1},
            {"type": "number", "exclusiveMinimum": 0},
            {"range.widened": S},
            {"range.widened": R},
            B,
        ),
        (
            {"type": "integer", "maximum": 1},
            {"type": "integer", "exclusiveMaximum": 1},
            {"range.narrowed": B},
            {"range.narrowed": S},
            S,
        ),
        (
            {"type": "integer", "multipleOf": 6},
            {"type": "integer", "multipleOf": 3},
            {"multiple.widened": S},
            {"multiple.widened": R},
            B,
        ),
        (
            {"type": "integer", "multipleOf": 2},
            {"type": "integer", "multipleOf": 3},
            {"multiple.unclear": R},
            {"multiple.unclear": R},
            R,
        ),
        ({"type": "string", "pattern": "a"}, TEXT, {"pattern.widened": S}, {"pattern.widened": R}, B),
        (
            {"type": "string", "pattern": "a"},
            {"type": "string", "pattern": "b"},
            {"pattern.unclear": R},
            {"pattern.unclear": R},
            R,
        ),
        ({"type": "string", "format": "uuid"}, TEXT, {"format.widened": S}, {"format.widened": R}, B),
        ({"type": "string", "format": "slug"}, TEXT, {"format.widened": S}, {"format.widened": R}, R),
        (
            {"type": "integer", "format": "int32"},
            {"type": "integer", "format": "int64"},
            {"format.widened": S},
            {"format.widened": R},
            B,
        ),
        ({"type": "array", "uniqueItems": True}, {"type": "array"}, {"unique.widened": S}, {"unique.widened": R}, B),
        (thing(a=TEXT), thing(a=TEXT, b=TEXT), {"property.added": S}, {"property.added": S}, R),
        (thing(a=TEXT), thing("b", a=TEXT, b=TEXT), {"property.added_required": B}, {"property.added": S}, R),
        (thing("a", a=TEXT), thing(a=TEXT), {"required.widened": S}, {"required.widened": B}, B),
        (thing("a", a=TEXT), thing(), {"property.removed": R}, {"property.removed_required": B}, B),
        (
            thing(a=TEXT),
            {**thing(), "additionalProperties": False},
            {"property.refused": B, "further_properties.unclear": R},
            {"property.removed": R, "further_properties.narrowed": S},
            S,
        ),
        (
            {**thing(), "additionalProperties": False},
            {**thing(a=TEXT), "additionalProperties": False},
            {"property.added": S},
            {"property.added_to_closed": R},
            B,
        ),
        (
            {**thing(), "additionalProperties": TEXT},
            thing(a=TEXT),
            {"further_properties.widened": S},
            {"further_properties.widened": R},
            R,
        ),
        (
            {**thing(), "additionalProperties": TEXT},
            {**thing(a=INTEGER), "additionalProperties": TEXT},
            {"type.replaced": B},
            {"type.replaced": B},
            B,
        ),
        (thing(a=TEXT), thing(a={**TEXT, "readOnly": True}), {"property.read_only": R}, {}, S),
        (thing("a", a={**TEXT, "readOnly": True}), thing("a", a=TEXT), {"property.added_required": B}, {}, R),
        (thing("a", a=TEXT), thing("a", a={**TEXT, "writeOnly": True}), {}, {"property.removed_required": B}, None),
        (
            {"type": "array", "items": INTEGER},
            {"type": "array", "items": NUMBER},
            {"type.widened": S},
            {"type.widened": B},
            B,
        ),
        ({"anyOf": [CAT]}, {"anyOf": [CAT, DOG]}, {"alternative.widened": S}, {"alternative.widened": R}, B),
        ({"oneOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}, {}, {}, None),
        (
            {"oneOf": [CAT, DOG]},
            {"oneOf": [thing("kind", kind={"const": "cat"}, age=INTEGER), DOG]},
            {"property.added": S},
            {"property.added": S},
            R,
        ),
        (
            {"oneOf": [TEXT, thing(a=TEXT)]},
            {"oneOf": [TEXT, thing(a=TEXT), {"type": "array"}]},
            {"type.widened": S},
            {"type.widened": B},
            B,
        ),
        (
            {"oneOf": [thing(a=TEXT), thing(b=TEXT)]},
            {"oneOf": [thing(a=TEXT), thing(b=TEXT), thing(c=TEXT)]},
            {"alternative.widened": S, "overlap": R},
            {"alternative.widened": R},
            B,
        ),
        ({"type": "integer", "not": {"const": 1}}, INTEGER, {"condition": R}, {"condition": R}, R),
        (
            {"type": "array", "prefixItems": [TEXT]},
            {"type": "array"},
            {"items_by_position": R},
            {"items_by_position": R},
            R,
        ),
        ({"type": "integer", "default": 1}, {"type": "integer", "default": 2}, {"default": R}, {}, R),
        (TEXT, {**TEXT, "deprecated": True}, {"deprecation": S}, {"deprecation": S}, S),
        (True, TEXT, {"description.unclear": R}, {"description.narrowed": S}, S),
        (TEXT, {**TEXT, "title": "T", "description": "d", "examples": ["x"]}, {}, {}, None),
        (thing(description=TEXT), thing(description=INTEGER), {"type.replaced": B}, {"type.replaced": B}, B),
        ({"allOf": [thing(a=TEXT), thing("b", b=TEXT)]}, thing("b", b=TEXT, a=TEXT), {}, {}, None),
        ({"type": "integer", "oneOf": [{"const": 1, "title": "one"}]}, {"type": "integer", "enum": [1]}, {}, {}, None),
        ({"properties": {"a": TEXT}}, thing(a=TEXT), {}, {}, None),
        (
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
            {"type": "integer", "exclusiveMinimum": 0, "maximum": 8},
            {},
            {},
            None,
        ),
        (
            {"anyOf": [TEXT, {"type": "number"}]},
            {"anyOf": [TEXT, INTEGER]},
            {"type.narrowed": B},
            {"type.narrowed": S},
            S,
        ),
        (
            {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "kind"}},
            {"oneOf": [CAT, DOG], "discriminator": {"propertyName": "type"}},
            {"discriminator.replaced": B},
            {"discriminator.replaced": B},
            B,
        ),
    ],
)
def test_a_difference_is_classified_by_what_clients_do_with_the_value(
    old: Schema, new: Schema, request_: dict[str, str], response: dict[str, str], back_in_request: str | None
) -> None:
    assert severities(diff_descriptions(requesting(old), requesting(new))) == request_
    assert severities(diff_descriptions(answering(old), answering(new))) == response
    assert worst(diff_descriptions(requesting(new), requesting(old))) == back_in_request


def test_the_place_is_followed_through_references() -> None:
    def users(name: Schema) -> ApiDescription:
        definitions = {
            "User": thing(name=name, friends={"type": "array", "items": {"$ref": "#/$defs/User"}}),
            "Page": thing(users={"type": "array", "items": {"$ref": "#/$defs/User"}}),
        }
        answers = {path: {"$ref": f"#/$defs/{name}"} for path, name in (("/users", "Page"), ("/users/{id}", "User"))}
        operations = tuple(
            Operation("GET", path, responses=(ResponseSpec("200", (MediaType("application/json", schema),)),))
            for path, schema in answers.items()
        )
        return ApiDescription("", "", "", operations=operations, definitions=definitions)

    (change,) = diff_descriptions(users(TEXT), users(INTEGER))
    assert change.operations == ("GET /users", "GET /users/{id}")
    assert change.where == "response.200.application/json#/properties/users/items/properties/name"
    assert change.words == "User in responses, name: type string became integer"


def test_an_extracted_definition_is_no_change() -> None:
    inline = thing("city", city=TEXT)
    old = requesting(thing(home=inline))
    new = requesting(thing(home={"$ref": "#/$defs/Address"}), {"Address": inline})
    assert diff_descriptions(old, new) == ()
    assert diff_descriptions(new, old) == ()


def test_definitions_that_lead_to_each_other_come_to_an_end() -> None:
    def ring(last: Schema) -> Definitions:
        return {
            "A": thing(next={"anyOf": [{"$ref": "#/$defs/B"}, {"type": "null"}]}),
            "B": {"allOf": [{"$ref": "#/$defs/A"}, thing(back={"$ref": "#/$defs/A"}, value=last)]},
            "Loop": {"$ref": "#/$defs/Loop"},
            "Choice": {"oneOf": [{"$ref": "#/$defs/Choice"}, TEXT]},
        }

    schema = thing("", **{name: {"$ref": f"#/$defs/{name}"} for name in ring(TEXT)})
    changes = diff_descriptions(requesting(schema, ring(TEXT)), requesting(schema, ring(INTEGER)))
    assert severities(changes) == {"type.replaced": B}
    assert diff_descriptions(requesting(schema, ring(TEXT)), requesting(schema, ring(TEXT))) == ()


def test_text_holds_any_scalar_in_parameters_only() -> None:
    def asking(schema: Schema, content_type: str | None = None) -> ApiDescription:
        parameter = Parameter("q", ParameterLocation.QUERY, schema=schema, style="form", content_type=content_type)
        return ApiDescription("", "", "", operations=(Operation("GET", "/a", parameters=(parameter,)),))

    assert severities(diff_descriptions(asking(INTEGER), asking(TEXT))) == {"type.widened": S}
    assert severities(diff_descriptions(asking(TEXT), asking(INTEGER))) == {"type.narrowed": B}
    json = "application/json"
    assert severities(diff_descriptions(asking(INTEGER, json), asking(TEXT, json))) == {"type.replaced": B}


NAMES = st.sampled_from(["a", "b", "c"])
REFERENCES = st.sampled_from(["X", "Y"]).map(lambda name: {"$ref": f"#/$defs/{name}"})
SCALARS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(3, 6),
            "enum": st.lists(st.sampled_from(["p", "q", "r"]), min_size=1, unique=True),
            "format": st.sampled_from(["date", "uuid", "slug"]),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            "minimum": st.integers(-3, 3),
            "exclusiveMaximum": st.integers(4, 9),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
        },
    ),
    st.just({"type": ["boolean", "null"]}),
    st.just({"const": 1}),
    st.just(True),
)


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={
            "required": st.lists(NAMES, unique=True),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "minProperties": st.integers(0, 2),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={
            "items": inner,
            "minItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
        },
    )
    several = st.lists(inner, min_size=1, max_size=3)
    choices = st.sampled_from(["anyOf", "oneOf", "allOf"]).flatmap(lambda word: st.fixed_dictionaries({word: several}))
    return st.one_of(objects, arrays, choices, inner.map(lambda schema: {"type": "integer", "not": schema}))


SCHEMAS = st.recursive(SCALARS | REFERENCES, composed, max_leaves=6)


@st.composite
def altered(draw: st.DrawFn, schema: Any) -> Any:
    """A copy in which something is another, is missing, or stands elsewhere."""
    if isinstance(schema, Mapping) and draw(st.integers(0, 3)):
        copy = dict(schema)
        keyword = draw(st.sampled_from(sorted(copy)))
        value = copy[keyword]
        if keyword in ("properties", "X", "Y") and value:
            name = draw(st.sampled_from(sorted(value)))
            copy[keyword] = value | {name: draw(altered(value[name]))}
        elif keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
            index = draw(st.integers(0, len(value) - 1))
            copy[keyword] = [*value[:index], draw(altered(value[index])), *value[index + 1 :]]
        elif keyword in ("items", "not", "additionalProperties"):
            copy[keyword] = draw(altered(value))
        elif keyword != "type":
            del copy[keyword]
        return copy
    return draw(SCHEMAS)


DEFINITIONS = st.fixed_dictionaries({"X": SCHEMAS, "Y": SCHEMAS})


@st.composite
def versions(draw: st.DrawFn) -> tuple[Schema, Definitions, Schema, Definitions]:
    schema, definitions = draw(SCHEMAS), draw(DEFINITIONS)
    if draw(st.booleans()):
        return schema, definitions, draw(altered(schema)), definitions
    return schema, definitions, schema, definitions | {"X": draw(altered(definitions["X"]))}


def instances(schema: Schema, definitions: Definitions, seed: int) -> list[Any]:
    generator = ValueGenerator(definitions, SchemaValidator(definitions))
    made = []
    for number in range(4):
        try:
            made.append(generator.generate(schema, Random(seed + number), full=bool(number % 2), examples=False))
        except NoValueError:
            continue
    return made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(versions(), st.integers(0, 1000))
def test_after_a_safe_change_what_was_sent_is_still_accepted(
    version: tuple[Schema, Definitions, Schema, Definitions], seed: int
) -> None:
    old, of_old, new, of_new = version
    changes = diff_descriptions(requesting(old, of_old), requesting(new, of_new))
    assume(worst(changes) in (None, Severity.SAFE))
    judge = SchemaValidator(of_new)
    assert [each for each in instances(old, of_old, seed) if not judge.is_valid(new, each, "request")] == []


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(versions(), st.integers(0, 1000))
def test_after_a_safe_change_what_is_received_was_expected(
    version: tuple[Schema, Definitions, Schema, Definitions], seed: int
) -> None:
    old, of_old, new, of_new = version
    changes = diff_descriptions(answering(old, of_old), answering(new, of_new))
    assume(worst(changes) in (None, Severity.SAFE))
    judge = SchemaValidator(of_old)
    assert [each for each in instances(new, of_new, seed) if not judge.is_valid(old, each, "response")] == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(SCHEMAS, DEFINITIONS, st.randoms(use_true_random=False))
def test_nothing_differs_from_itself_in_another_order(schema: Schema, definitions: Definitions, random: Random) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, dict):
            names = list(node)
            random.shuffle(names)
            return {name: shuffled(node[name]) for name in names}
        if isinstance(node, list):
            return [shuffled(each) for each in node]
        return node

    for describe in (requesting, answering):
        assert diff_descriptions(describe(schema, definitions), describe(schema, definitions)) == ()
        assert diff_descriptions(describe(schema, definitions), describe(shuffled(schema), shuffled(definitions))) == ()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(versions(), st.randoms(use_true_random=False))
def test_the_report_does_not_depend_on_the_order_of_names(
    version: tuple[Schema, Definitions, Schema, Definitions], random: Random
) -> None:
    def backwards(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: backwards(node[name]) for name in reversed(node)}
        return [backwards(each) for each in node] if isinstance(node, list) else node

    old, of_old, new, of_new = version
    report = diff_descriptions(requesting(old, of_old), requesting(new, of_new))
    again = diff_descriptions(
        requesting(backwards(old), backwards(of_old)), requesting(backwards(new), backwards(of_new))
    )
    assert report == again


@st.composite
def widened(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A schema, and one that admits all that it does and more."""
    schema: Any = draw(SCHEMAS.filter(lambda schema: isinstance(schema, dict) and "$ref" not in schema))
    loose = [
        word
        for word in ("minLength", "maxLength", "enum", "format", "minimum", "exclusiveMaximum", "multipleOf", "const")
        if schema.get(word)
    ]
    if loose and "type" in schema:
        word = draw(st.sampled_from(loose))
        return schema, {name: value for name, value in schema.items() if name != word}
    return {"anyOf": [TEXT]}, {"anyOf": [TEXT, schema, NUMBER]}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(widened())
def test_to_accept_more_never_breaks_and_to_accept_less_is_never_safe(schemas: tuple[Schema, Schema]) -> None:
    narrow, wide = schemas
    there = diff_descriptions(requesting(thing(a=narrow)), requesting(thing(a=wide)))
    back = diff_descriptions(requesting(thing(a=wide)), requesting(thing(a=narrow)))
    assert worst(there) is not Severity.BREAKING
    assert worst(back) in (Severity.BREAKING, Severity.RISKY)
