"""Paths that can be asked for, out of templates: values for their parameters."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote

from backend.app.engine.spec.model import Operation, Parameter, ParameterLocation

FORMS: Final = (
    "1",
    "0c5b2444-70a0-4932-980c-b4dc0d3f02b5",
    "abc",
    "2024",
    "2024-01-01",
    "5f43a0c1d2e3b4a596877869",
    "en",
    "A1",
)
"""Values that one router or another takes for a parameter."""
_TEMPLATE: Final = re.compile(r"\{[^{}]*\}")
_BY_FORMAT: Final = {
    "uuid": FORMS[1],
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "email": "a@example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
}


def is_templated(path: str) -> bool:
    return "{" in path


def instance_of(path: str, operations: Iterable[Operation], form: str = "") -> str:
    """The path with values for its parameters: examples and what their schemas ask for, or all of them `form`."""
    declared = {
        parameter.name: parameter
        for operation in operations
        for parameter in operation.parameters
        if parameter.location is ParameterLocation.PATH
    }

    def value(match: re.Match[str]) -> str:
        name = match[0][1:-1].partition(":")[0].rstrip("*?+")
        return quote(form or _value(declared.get(name)), safe="")

    return _TEMPLATE.sub(value, path)


def other_instances(path: str, operations: Iterable[Operation], first: str) -> Iterator[str]:
    """With each of `FORMS` for all parameters at a time."""
    known = list(operations)
    yield from dict.fromkeys(each for form in FORMS if (each := instance_of(path, known, form)) != first)


def split_at_last_literal(path: str, instance: str) -> tuple[str, str]:
    """The folder and the tail around the last segment of the template that is no parameter: where the routes that a
    server does not know begin. `/users/{id}/orders/{n}` gives `/users/1` and `/1`; of a path of parameters alone the
    tail is empty and the folder is all of it."""
    template, values = path.rstrip("/").split("/"), instance.rstrip("/").split("/")
    slash = "/" if path.endswith("/") and path != "/" else ""
    literals = [at for at, segment in enumerate(template) if at and "{" not in segment]
    if len(template) != len(values) or not literals:
        return ("" if path == "/" else instance.rstrip("/")), slash
    at = literals[-1]
    rest = values[at + 1 :]
    return "/".join(values[:at]), "".join(f"/{each}" for each in rest) + slash


def _value(parameter: Parameter | None) -> str:
    if parameter is None:
        return FORMS[0]
    schema = parameter.schema if isinstance(parameter.schema, Mapping) else {}
    samples = schema.get("examples")
    choices = [*parameter.examples, schema.get("example"), schema.get("default"), schema.get("const")]
    choices += [*(samples if isinstance(samples, list) else ()), *(schema.get("enum") or ())]
    for each in choices:
        if isinstance(each, str | int | float) and str(each) and "/" not in str(each):
            return str(each)
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    minimum = schema.get("minimum")
    return str(minimum) if isinstance(minimum, int) and minimum > 1 else FORMS[0]
