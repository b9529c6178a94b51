"""Hypothesis strategy for JSON Schemas that have at least one value."""

from typing import Any

from hypothesis import strategies as st

Draw = st.DrawFn


@st.composite
def integers(draw: Draw) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    low = draw(st.none() | st.integers(-(10**6), 10**6))
    if low is not None:
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = (low or 0) + draw(st.integers(50, 10**6))
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.integers(1, 20))
    return schema


@st.composite
def numbers(draw: Draw) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "number"}
    low = draw(st.none() | st.integers(-1000, 1000).map(lambda value: value / 4))
    if low is not None:
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = (low or 0) + draw(st.integers(2, 1000))
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([0.5, 0.25, 0.1, 0.01]))
    return schema


@st.composite
def strings(draw: Draw) -> dict[str, Any]:
    kind = draw(st.sampled_from(["plain", "format", "pattern", "enum"]))
    if kind == "enum":
        return {"type": "string", "enum": draw(st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True))}
    if kind == "format":
        names = ["date", "date-time", "time", "email", "uuid", "uri", "ipv4", "ipv6", "hostname", "duration"]
        return {"type": "string", "format": draw(st.sampled_from(names))}
    if kind == "pattern":
        patterns = [r"^[A-Z]{3}-\d{4}$", r"^[a-z]+$", r"\d", r"^(red|green)$", r"^[^@ ]+@[a-z]+\.[a-z]{2,3}$"]
        return {"type": "string", "pattern": draw(st.sampled_from(patterns))}
    least = draw(st.integers(0, 30))
    schema: dict[str, Any] = {"type": "string", "minLength": least}
    if draw(st.booleans()):
        schema["maxLength"] = least + draw(st.integers(0, 20))
    return schema


def _arrays(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda item, least, more: {"type": "array", "items": item, "minItems": least, "maxItems": least + more},
        items,
        st.integers(0, 4),
        st.integers(0, 3),
    )


@st.composite
def _objects(draw: Draw, children: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from(["id", "name", "email", "size", "a b"]), children, max_size=4))
    required = [name for name in properties if draw(st.booleans())]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    return schema


def _combined(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.lists(children, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.tuples(children, st.just({"type": "null"})).map(lambda branches: {"anyOf": list(branches)}),
        children.map(lambda child: {"allOf": [child]}),
        children.map(lambda child: {"allOf": [child, {"description": "the same"}]}),
        st.just({"$ref": "#/$defs/Node"}),
    )


SCALARS = st.one_of(
    integers(), numbers(), strings(), st.just({"type": "boolean"}), st.just({"type": ["string", "null"]})
)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda children: st.one_of(_arrays(children), _objects(children), _combined(children)), max_leaves=8
)
DEFINITIONS: dict[str, Any] = {
    "Node": {
        "type": "object",
        "required": ["label"],
        "properties": {
            "label": {"type": "string", "minLength": 1},
            "next": {"$ref": "#/$defs/Node"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        },
    }
}
