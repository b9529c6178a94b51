"""Requests that are wrong in exactly one part, and really wrong: the validator has to refuse each of them.

A value in a path, query, header or cookie is text, so it only counts as wrong when no reading of that text is valid:
`5` is a valid integer there, and a string has no wrong type.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Any

from backend.app.engine.generate.case import WHOLE_BODY, Case, Expectation, body_part, parameter_part
from backend.app.engine.generate.positive import PositiveCases
from backend.app.engine.generate.requests import (
    NO_BODY,
    Inputs,
    RequestBuilder,
    body_media_type,
    dumps,
    is_form,
    is_json,
    scalar_text,
)
from backend.app.engine.generate.values import NoValueError, ValueGenerator, is_duration, limits, number_step
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, Operation, ParameterLocation, Schema

MOST_PER_OPERATION = 60
MOST_BODY_DEPTH = 3
LONGEST_TEXT = 2_000
LONGEST_ARRAY = 200
WORD = "touchstone"
KINDS = (
    "no_credentials",
    "missing_required",
    "wrong_type",
    "out_of_bounds",
    "not_in_enum",
    "malformed_json",
    "null_value",
    "pattern_mismatch",
    "unknown_property",
    "unknown_id",
    "numeric_extreme",
    "wrong_format",
)
"""From the most telling to the least, which is also the order in which they are sent."""

NEAR_MISSES = {
    "date": "2023-02-30",
    "date-time": "2023-02-30T25:61:00Z",
    "time": "25:61:00Z",
    "email": f"{WORD}@",
    "uuid": "123e4567-e89b-12d3-a456-42661417400",
    "uri": "http://[",
    "ipv4": "192.0.2.256",
    "ipv6": "2001:db8::zzzz",
}
BEYOND_64_BITS = 2**63
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class _Wrong:
    kind: str
    words: str
    value: Json
    expectation: Expectation = Expectation.REJECTED


class NegativeCases:
    def __init__(
        self,
        builder: RequestBuilder,
        generator: ValueGenerator,
        validator: SchemaValidator,
        positive: PositiveCases,
    ) -> None:
        self._builder = builder
        self._generator = generator
        self._validator = validator
        self._positive = positive

    def cases(self, operation: Operation, baseline: Case, random: Random) -> list[Case]:
        """At most `MOST_PER_OPERATION`, the most telling first."""
        found = [
            *self._parameters(operation, baseline.inputs, random),
            *self._body(operation, baseline.inputs, random),
        ]
        found.sort(key=lambda case: KINDS.index(case.kind))
        return found[:MOST_PER_OPERATION]

    def no_credentials(self, baseline: Case) -> Case:
        return replace(
            baseline,
            kind="no_credentials",
            title="without credentials",
            expectation=Expectation.UNAUTHENTICATED,
            part="credentials",
            credentials=False,
        )

    def _parameters(self, operation: Operation, baseline: Inputs, random: Random) -> Iterator[Case]:
        last_in_path = operation.path.rpartition("{")[2].partition("}")[0]
        for parameter in self._builder.parameters(operation):
            key = (parameter.location, parameter.name)
            part = parameter_part(key)
            named = f"{parameter.location} parameter {parameter.name}"
            flat = self._generator.plain(parameter.schema)
            in_path = parameter.location is ParameterLocation.PATH
            if parameter.required and not in_path and key in baseline.parameters and "default" not in flat:
                yield Case(
                    "missing_required",
                    f"without the required {named}",
                    operation,
                    baseline.without_parameter(key),
                    Expectation.REJECTED,
                    part,
                    fixed=frozenset({part}),
                )
            if parameter.content_type:
                continue
            for wrong in self._wrong_on_the_wire(parameter.schema, random):
                if in_path and wrong.value in ("", []):
                    continue
                if wrong.kind == "numeric_extreme" and is_duration(parameter.name):
                    continue
                inputs = baseline.with_parameter(key, wrong.value)
                yield Case(
                    wrong.kind,
                    f"{named} {wrong.words}",
                    operation,
                    inputs,
                    wrong.expectation,
                    part,
                    fixed=frozenset({part}),
                )
            names_a_thing = in_path and parameter.name == last_in_path and not is_duration(parameter.name)
            if names_a_thing and operation.method in ("GET", "HEAD", "DELETE"):
                try:
                    value = self._positive.unlikely_id(parameter.schema, random)
                except NoValueError:
                    continue
                if "enum" not in flat and "const" not in flat and value not in ("", []):
                    yield Case(
                        "unknown_id",
                        f"{named} that most likely does not exist",
                        operation,
                        baseline.with_parameter(key, value),
                        Expectation.NO_CRASH,
                        part,
                        fixed=frozenset({part}),
                    )

    def _body(self, operation: Operation, baseline: Inputs, random: Random) -> Iterator[Case]:
        media = body_media_type(operation)
        if media is None or operation.body is None or baseline.body is NO_BODY:
            return
        if operation.body.required:
            yield self._body_case(
                operation,
                "missing_required",
                "without the required body",
                replace(baseline, body=NO_BODY, media_type=""),
            )
        if is_form(media.content_type):
            yield from self._form(operation, media.schema, baseline, random)
        if not is_json(media.content_type):
            return
        text = dumps(baseline.body)
        cut = text[:-1] if text[-1:] in (b"}", b"]") else b"{"
        yield self._body_case(
            operation, "malformed_json", "body that ends in the middle of its JSON", replace(baseline, raw_body=cut)
        )
        for path, wrong in self._wrong_in(media.schema, baseline.body, (), random):
            body = wrong.value if not path else _replaced(baseline.body, path, wrong.value)
            if wrong.expectation is Expectation.REJECTED and self._validator.is_valid(
                media.schema, body, direction="request"
            ):
                continue
            part = body_part(path)
            yield Case(
                wrong.kind,
                f"{part} {wrong.words}" if wrong.value is not _ABSENT else f"without the required {part}",
                operation,
                replace(baseline, body=body),
                wrong.expectation,
                part,
                fixed=frozenset({part}),
            )

    def _body_case(self, operation: Operation, kind: str, title: str, inputs: Inputs) -> Case:
        fixed = frozenset({WHOLE_BODY})
        return Case(kind, title, operation, inputs, Expectation.REJECTED, WHOLE_BODY, fixed=fixed)

    def _form(self, operation: Operation, schema: Schema, baseline: Inputs, random: Random) -> Iterator[Case]:
        flat = self._generator.plain(schema)
        if not isinstance(baseline.body, dict):
            return
        for name in flat.get("properties", {}):
            declared = self._generator.property_schema(schema, name)
            part = body_part((name,))
            fixed = frozenset({part})
            if (
                name in flat.get("required", ())
                and name in baseline.body
                and "default" not in self._generator.plain(declared)
            ):
                body = {key: value for key, value in baseline.body.items() if key != name}
                yield Case(
                    "missing_required",
                    f"without the required {part}",
                    operation,
                    replace(baseline, body=body),
                    Expectation.REJECTED,
                    part,
                    fixed=fixed,
                )
            if name in baseline.files:
                continue
            for wrong in self._wrong_on_the_wire(declared, random):
                body = {**baseline.body, name: wrong.value}
                inputs = replace(baseline, body=body)
                title = f"{part} {wrong.words}"
                yield Case(wrong.kind, title, operation, inputs, wrong.expectation, part, fixed=fixed)

    def _wrong_on_the_wire(self, schema: Schema, random: Random) -> Iterator[_Wrong]:
        if "object" in self._generator.types(self._generator.plain(schema)):
            # Exploded, its properties are pairs of their own, and any text is one of them.
            return
        for wrong in self._wrong_values(schema, random):
            if isinstance(wrong.value, dict) or wrong.value is None:
                continue
            if isinstance(wrong.value, list) and any(isinstance(item, dict | list) for item in wrong.value):
                continue
            if wrong.expectation is Expectation.REJECTED and any(
                self._validator.is_valid(schema, reading) for reading in readings(wrong.value)
            ):
                continue
            yield wrong

    def _wrong_in(
        self, schema: Schema, value: Json, path: tuple[str | int, ...], random: Random
    ) -> Iterator[tuple[tuple[str | int, ...], _Wrong]]:
        """Wrong values for the place `path` and for what is below it in the baseline `value`."""
        flat = self._generator.plain(schema)
        for wrong in self._wrong_values(schema, random):
            yield path, wrong
        if len(path) >= MOST_BODY_DEPTH:
            return
        if isinstance(value, list) and value:
            yield from self._wrong_in(flat.get("items", True), value[0], (*path, 0), random)
        if not isinstance(value, dict):
            return
        required = flat.get("required", ())
        for name in dict.fromkeys([*required, *flat.get("properties", {})]):
            declared = self._generator.property_schema(schema, name)
            described = self._generator.plain(declared)
            if described.get("readOnly") is True:
                continue
            here = (*path, name)
            if name in required and name in value and "default" not in described:
                yield here, _Wrong("missing_required", "", _ABSENT)
                yield here, _Wrong("null_value", "null, which is not allowed", None)
            yield from self._wrong_in(declared, value.get(name), here, random)
        if flat.get("additionalProperties") is False:
            yield (*path, f"{WORD}Unknown"), _Wrong("unknown_property", "that is not declared", True)

    def _wrong_values(self, schema: Schema, random: Random) -> Iterator[_Wrong]:
        flat = self._generator.plain(schema)
        types = self._generator.types(flat)
        if types:
            yield from _of_another_type(types)
        if "enum" in flat or "const" in flat:
            yield from _outside_enum(flat)
            return
        if {"integer", "number"} & set(types):
            yield from _beyond_numeric_limits(flat)
        if types == ("integer",) and "enum" not in flat:
            words = "beyond 64 bits"
            yield _Wrong("numeric_extreme", words, BEYOND_64_BITS, Expectation.NO_CRASH)
        if "string" in types:
            yield from self._wrong_strings(flat)
        if "array" in types:
            yield from self._wrong_arrays(flat, random)

    def _wrong_strings(self, flat: Mapping[str, Any]) -> Iterator[_Wrong]:
        least, most = flat.get("minLength"), flat.get("maxLength")
        if isinstance(least, int) and 1 <= least <= LONGEST_TEXT:
            words = f"of {least - 1} characters, at least {least} are required"
            yield _Wrong("out_of_bounds", words, "a" * (least - 1))
        if isinstance(most, int) and most < LONGEST_TEXT:
            words = f"of {most + 1} characters, at most {most} are allowed"
            yield _Wrong("out_of_bounds", words, "a" * (most + 1))
        if "pattern" in flat:
            for candidate in ("~", "~~~~~~~~", "0", "a b"):
                if not self._validator.is_valid({"pattern": flat["pattern"]}, candidate):
                    yield _Wrong("pattern_mismatch", "that does not match its pattern", candidate)
                    break
        miss = NEAR_MISSES.get(str(flat.get("format", "")))
        if miss is not None:
            yield _Wrong("wrong_format", f"that is no valid {flat['format']}", miss, Expectation.NO_CRASH)

    def _wrong_arrays(self, flat: Mapping[str, Any], random: Random) -> Iterator[_Wrong]:
        items: Schema = flat.get("items", True)
        least, most = flat.get("minItems"), flat.get("maxItems")
        try:
            item = self._generator.generate(items, random)
        except NoValueError:
            return
        if isinstance(least, int) and 1 <= least <= LONGEST_ARRAY:
            words = f"with {least - 1} items, at least {least} are required"
            yield _Wrong("out_of_bounds", words, [item] * (least - 1))
        if isinstance(most, int) and most < LONGEST_ARRAY:
            words = f"with {most + 1} items, at most {most} are allowed"
            yield _Wrong("out_of_bounds", words, [item] * (most + 1))
        for wrong in _of_another_type(self._generator.types(items)):
            yield replace(wrong, words=f"with an item {wrong.words}", value=[wrong.value])


def readings(value: Json) -> Iterator[Json]:
    """What a server may take the text of a value for."""
    if isinstance(value, list):
        texts = [scalar_text(item) for item in value]
        yield texts
        yield [_typed(text) for text in texts]
        if len(texts) > 1:
            yield ",".join(texts)
    else:
        texts = [scalar_text(value)]
    if len(texts) == 1:
        yield texts[0]
        yield _typed(texts[0])
        parts = texts[0].split(",")
        yield parts
        yield [_typed(part) for part in parts]
    if not texts:
        yield ""
        yield None


def _typed(text: str) -> Json:
    lowered = text.strip().lower()
    if lowered in ("true", "yes", "on"):
        return True
    if lowered in ("false", "no", "off"):
        return False
    if lowered in ("", "null", "none"):
        return None
    if NUMBER.fullmatch(lowered):
        number = float(lowered)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text


def _of_another_type(types: tuple[str, ...]) -> Iterator[_Wrong]:
    declared = " or ".join(types)
    if not types:
        return
    if "string" not in types:
        yield _Wrong("wrong_type", f"a string in place of {declared}", WORD)
    elif "object" not in types:
        yield _Wrong("wrong_type", f"an object in place of {declared}", {WORD: True})
    elif "array" not in types:
        yield _Wrong("wrong_type", f"an array in place of {declared}", [WORD])


def _outside_enum(flat: Mapping[str, Any]) -> Iterator[_Wrong]:
    allowed = [flat["const"]] if "const" in flat else list(flat["enum"])
    if not allowed:
        return
    if any(isinstance(item, str) for item in allowed):
        yield _Wrong("not_in_enum", "outside its enumeration", f"{WORD}-unknown")
    elif all(isinstance(item, int | float) and not isinstance(item, bool) for item in allowed):
        yield _Wrong("not_in_enum", "outside its enumeration", int(max(allowed)) + 1)


def _beyond_numeric_limits(flat: Mapping[str, Any]) -> Iterator[_Wrong]:
    low, high = limits(flat)
    step = number_step(flat)
    whole = flat.get("type") == "integer"
    if low is not None:
        yield _Wrong("out_of_bounds", f"below its least value {_plain(low)}", _number(low - step, whole))
    if high is not None:
        yield _Wrong("out_of_bounds", f"above its greatest value {_plain(high)}", _number(high + step, whole))
    if "multipleOf" in flat and not (whole and step <= 1):
        start = low or Decimal(0)
        between = start + (1 if whole else step / 2)
        yield _Wrong("out_of_bounds", f"that is no multiple of {_plain(step)}", _number(between, whole))


def _number(value: Decimal, whole: bool) -> int | float:
    return int(value) if whole or value == value.to_integral_value() else float(value)


def _plain(value: Decimal) -> str:
    return f"{value:f}"


_ABSENT: Json = object()


def _replaced(value: Json, path: tuple[str | int, ...], wrong: Json) -> Json:
    """A copy of `value` with the one place changed; what is not on the way is shared."""
    step, *rest = path
    if isinstance(value, list):
        return [_replaced(value[0], tuple(rest), wrong) if rest else wrong, *value[1:]]
    if rest:
        return {**value, step: _replaced(value[step], tuple(rest), wrong)}
    if wrong is _ABSENT:
        return {name: item for name, item in value.items() if name != step}
    return {**value, step: wrong}
