"""Where schemas stand in a schema (JSON Schema 2020-12, 10 and 11): a property called `items` is none of them."""

from collections.abc import Callable, Mapping
from typing import Any

ONE = frozenset(
    {
        "items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})


def with_subschemas(schema: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy in which each schema that stands directly in this one is what `change` makes of it."""
    copy: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ONE:
            copy[keyword] = change(value)
        elif keyword in LISTS:
            copy[keyword] = [change(each) for each in value]
        elif keyword in MAPS:
            copy[keyword] = {name: change(each) for name, each in value.items()}
        else:
            copy[keyword] = value
    return copy
