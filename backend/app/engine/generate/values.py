"""Valid values for a JSON Schema: seeded, without backtracking search, each one checked by the validator.

A value is built from what the schema says outright (constant, enumeration, example, default, type, limits, format,
pattern). What cannot be built that way (`not`, `if`, `propertyNames`, ...) is left to chance: several candidates are
made and the first valid one is taken.
"""

import base64
import math
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

from backend.app.engine.generate.pattern import UnsupportedPatternError, matching
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, Schema

CANDIDATES = 6
MOST_OPTIONAL_DEPTH = 4
MOST_DEPTH = 24
MOST_NODES = 2_000
LONGEST_STRING = 20_000
MOST_ITEMS = 1_000
MOST_UNLIMITED = 20
MOST_SECONDS = 2
DURATION_NAMES = ("delay", "duration", "interval", "seconds", "sleep", "timeout", "wait")
"""Ends of names of parameters that a target may wait for."""
NUMBER_NAMES = ("id", "number", "num", "count", "limit", "offset", "page", "size", "bytes", "delay", "seconds", "index")
"""Ends of names that most likely stand for integers where no type is given."""

INTEGER_FORMATS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
TYPE_HINTS = (
    ("object", ("properties", "required", "additionalProperties", "minProperties", "patternProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems", "uniqueItems")),
    ("string", ("pattern", "minLength", "maxLength", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)


class NoValueError(Exception):
    """No valid value could be made; the message says why."""


@dataclass(slots=True)
class _Attempt:
    """One candidate in the making: how much to fill in, and how much may still be built."""

    random: Random
    full: bool
    examples: bool
    nodes: int = MOST_NODES

    def spend(self, depth: int) -> None:
        self.nodes -= 1
        if self.nodes < 0 or depth > MOST_DEPTH:
            raise NoValueError("the schema requires a value that is nested without end")


class ValueGenerator:
    """Values for the schemas of one API description. `definitions` are what `#/$defs/...` refers to."""

    def __init__(self, definitions: Mapping[str, Schema], validator: SchemaValidator) -> None:
        self._definitions = definitions
        self._validator = validator
        self._flat: dict[int, tuple[Schema, Mapping[str, Any]]] = {}
        self._referred: dict[str, Mapping[str, Any]] = {}
        self._alternatives: dict[tuple[int, str], tuple[Schema, list[tuple[Schema, Schema]]]] = {}

    def generate(
        self, schema: Schema, random: Random, *, full: bool = False, examples: bool = True, name: str = ""
    ) -> Json:
        """A value that is valid as part of a request: required parts only, or all parts when `full`.

        Examples and defaults are preferred when `examples`; `name` (of a parameter) hints at strings such as mail
        addresses. Raises `NoValueError`.
        """
        reason = ""
        for number in range(CANDIDATES):
            attempt = _Attempt(random, full and number < CANDIDATES - 2, examples and number in (0, CANDIDATES - 1))
            try:
                value = self._value(schema, attempt, 0, name)
            except NoValueError as error:
                reason = reason or str(error)
                continue
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
                raise NoValueError(f"the schema is malformed: {error}") from error
            errors = self._validator.errors(schema, value, limit=1, direction="request")
            if not errors:
                return value
            reason = f"{errors[0].pointer or '(root)'}: {errors[0].message}"
        raise NoValueError(reason or "no valid value was found")

    def flat(self, schema: Schema) -> Mapping[str, Any]:
        """The keywords that hold for `schema` with `$ref` followed and `allOf` merged in. `False` stays visible as
        `{"not": {}}`."""
        if isinstance(schema, Mapping) and len(schema) == 1 and isinstance(reference := schema.get("$ref"), str):
            # Thousands of places refer to a definition that inherits from others: one answer for all of them.
            if reference not in self._referred:
                self._referred[reference] = self._flatten(schema, frozenset())
            return self._referred[reference]
        known = self._flat.get(id(schema))
        if known is None:
            # The schema is kept beside the answer, because an id is only unique while its object lives.
            known = self._flat[id(schema)] = (schema, self._flatten(schema, frozenset()))
        return known[1]

    def plain(self, schema: Schema) -> Mapping[str, Any]:
        """`flat`, looking through "this or null" (`anyOf` with a single alternative that is not null)."""
        flat = self.flat(schema)
        for keyword in ("anyOf", "oneOf"):
            if flat.get(keyword):
                others = [merged for branch, merged in self._branches(flat, keyword) if not self._is_null(branch)]
                return self.flat(others[0]) if len(others) == 1 else flat
        return flat

    def _is_null(self, schema: Schema) -> bool:
        return self.flat(schema).get("type") == "null"

    def types(self, schema: Schema) -> tuple[str, ...]:
        """The JSON types that the schema names or implies; empty when it leaves them open."""
        flat = self.flat(schema)
        declared = flat.get("type")
        if isinstance(declared, str):
            return (declared,)
        if isinstance(declared, list):
            return tuple(declared)
        for name, keywords in TYPE_HINTS:
            if any(keyword in flat for keyword in keywords):
                return (name,)
        return ()

    def property_schema(self, schema: Schema, name: str) -> Schema:
        flat = self.flat(schema)
        found: Schema = flat.get("properties", {}).get(name, flat.get("additionalProperties", True))
        return found

    def _flatten(self, schema: Schema, seen: frozenset[str]) -> Mapping[str, Any]:
        if isinstance(schema, bool):
            return {} if schema else {"not": {}}
        if "$ref" not in schema and "allOf" not in schema:
            return schema
        flat: dict[str, Any] = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            target = self._definitions.get(_definition_name(reference), True)
            flat = _merge(self._flatten(target, seen | {reference}), flat)
        for part in schema.get("allOf", ()):
            flat = _merge(flat, self._flatten(part, seen))
        return flat

    def _value(self, schema: Schema, attempt: _Attempt, depth: int, name: str = "") -> Json:
        attempt.spend(depth)
        flat = self.flat(schema)
        if flat.get("not") == {} or flat.get("not") is True:
            raise NoValueError("the schema allows no value")
        if "const" in flat:
            return flat["const"]
        for keyword in ("oneOf", "anyOf"):
            if flat.get(keyword):
                return self._alternative(flat, keyword, attempt, depth, name)
        if attempt.examples:
            for candidate in _suggestions(flat):
                return candidate
        if flat.get("enum"):
            return flat["enum"][0] if attempt.examples and not attempt.full else attempt.random.choice(flat["enum"])
        return self._typed(flat, self._type_of(flat, name), attempt, depth, name)

    def _type_of(self, flat: Mapping[str, Any], name: str) -> str:
        types = [name for name in self.types(flat) if name != "null"]
        if types:
            return types[0]
        if flat.get("type") in ("null", ["null"]):
            return "null"
        return "integer" if name.lower().replace("_", "").endswith(NUMBER_NAMES) else "string"

    def _alternative(self, flat: Mapping[str, Any], keyword: str, attempt: _Attempt, depth: int, name: str) -> Json:
        branches = self._branches(flat, keyword)
        start = 0 if attempt.examples else attempt.random.randrange(len(branches))
        reason = NoValueError("no alternative has a value")
        for branch, merged in branches[start:] + branches[:start]:
            try:
                value = self._value(merged, attempt, depth + 1, name)
            except NoValueError as error:
                reason = error
                continue
            return self._discriminated(flat, branch, value)
        raise reason

    def _branches(self, flat: Mapping[str, Any], keyword: str) -> list[tuple[Schema, Schema]]:
        """The alternatives of `oneOf` or `anyOf`, `null` last, each also merged with the keywords beside them."""
        key = (id(flat), keyword)
        known = self._alternatives.get(key)
        if known is None:
            base = {name: value for name, value in flat.items() if name not in (keyword, "discriminator", "default")}
            branches = sorted(flat[keyword], key=self._is_null)
            known = flat, [(branch, _merge(base, self.flat(branch))) for branch in branches]
            self._alternatives[key] = known
        return known[1]

    def _discriminated(self, flat: Mapping[str, Any], branch: Schema, value: Json) -> Json:
        """Sets the discriminator property (OpenAPI 3.1, 4.8.25) to the name that stands for the branch."""
        discriminator = flat.get("discriminator")
        if not isinstance(discriminator, Mapping) or not isinstance(value, dict) or not isinstance(branch, Mapping):
            return value
        reference = branch.get("$ref")
        key = discriminator.get("propertyName")
        if not isinstance(reference, str) or not isinstance(key, str):
            return value
        implied = _definition_name(reference)
        mapping: Mapping[str, str] = discriminator.get("mapping") or {}
        names = [label for label, target in mapping.items() if _definition_name(target) == implied]
        declared = self.flat(self.property_schema(branch, key))
        if "const" not in declared and "enum" not in declared:
            value = {**value, key: names[0] if names else implied}
        return value

    def _typed(self, flat: Mapping[str, Any], kind: str, attempt: _Attempt, depth: int, name: str) -> Json:
        match kind:
            case "object":
                return self._object(flat, attempt, depth)
            case "array":
                return self._array(flat, attempt, depth, name)
            case "string":
                return self._string(flat, attempt.random, name)
            case "integer":
                return _integer(flat, attempt, name)
            case "number":
                return _number(flat, attempt, name)
            case "boolean":
                return attempt.random.random() < 0.5
            case "null":
                return None
            case _:
                raise NoValueError(f"unknown type {kind!r}")

    def _object(self, flat: Mapping[str, Any], attempt: _Attempt, depth: int) -> dict[str, Json]:
        properties: Mapping[str, Schema] = flat.get("properties") or {}
        required = [key for key in flat.get("required", ()) if isinstance(key, str)]
        wanted = list(dict.fromkeys(required))
        least = flat.get("minProperties", 0)
        optional = [key for key in properties if key not in wanted]
        if attempt.full and depth < MOST_OPTIONAL_DEPTH:
            wanted += optional
        elif len(wanted) < least:
            wanted += optional[: int(least) - len(wanted)]
        made: dict[str, Json] = {}
        for key in wanted:
            schema = properties.get(key, flat.get("additionalProperties", True))
            if self.flat(schema).get("readOnly") is True:
                continue
            try:
                made[key] = self._value(schema, attempt, depth + 1, key)
            except NoValueError:
                if key in required:
                    raise
        for key, partners in (flat.get("dependentRequired") or {}).items():
            for partner in partners if key in made else ():
                if partner not in made:
                    made[partner] = self._value(properties.get(partner, True), attempt, depth + 1, partner)
        extra: Schema = flat.get("additionalProperties", True)
        while len(made) < least and extra is not False:
            made[f"extra{len(made) + 1}"] = self._value(extra, attempt, depth + 1)
        if isinstance(extra, Mapping) and attempt.full and not properties and not made and depth < MOST_OPTIONAL_DEPTH:
            made["key"] = self._value(extra, attempt, depth + 1)
        return made

    def _array(self, flat: Mapping[str, Any], attempt: _Attempt, depth: int, name: str) -> list[Json]:
        prefix: Sequence[Schema] = flat.get("prefixItems") or ()
        items: Schema = flat.get("items", True)
        least = int(flat.get("minItems", 0))
        most = int(flat.get("maxItems", MOST_ITEMS))
        if least > MOST_ITEMS:
            raise NoValueError(f"needs {least} items")
        wanted = max(least, len(prefix), 1 if attempt.full or "minItems" not in flat else 0)
        if "contains" in flat and items is True:
            items, wanted = flat["contains"], max(wanted, 1)
        if depth >= MOST_OPTIONAL_DEPTH * 2:
            wanted = least
        made: list[Json] = []
        tries = 0
        while len(made) < min(wanted, most) and tries < wanted * 8 + 8:
            tries += 1
            schema = prefix[len(made)] if len(made) < len(prefix) else items
            try:
                item = self._value(schema, attempt, depth + 1, name)
            except NoValueError:
                if len(made) < least:
                    raise
                break
            if flat.get("uniqueItems") and item in made:
                attempt.examples = False
                continue
            made.append(item)
        return made

    def _string(self, flat: Mapping[str, Any], random: Random, name: str) -> str:
        least, most = int(flat.get("minLength", 0)), int(flat.get("maxLength", LONGEST_STRING))
        if least > LONGEST_STRING:
            raise NoValueError(f"needs a string of {least} characters")
        if (expression := flat.get("pattern")) is not None:
            return self._patterned(flat, str(expression), random)
        declared = str(flat.get("format", ""))
        text = formatted(declared, random) if declared else _hinted(name, random)
        if text is not None and least <= len(text) <= most:
            return text
        if declared == "email" and least > 0:
            return "a" * max(1, least - len("@example.com")) + "@example.com"
        length = min(max(8, least), most)
        return "".join(random.choices(string.ascii_lowercase, k=length))

    def _patterned(self, flat: Mapping[str, Any], expression: str, random: Random) -> str:
        def accept(text: str) -> bool:
            return self._validator.is_valid(flat, text)

        for suggestion in _suggestions(flat):
            if isinstance(suggestion, str) and accept(suggestion):
                return suggestion
        try:
            found = matching(expression, random, accept)
        except UnsupportedPatternError:
            found = None
        if found is not None:
            return found
        # The validator does not judge patterns that need backtracking; a password is what most of them ask for.
        for kind in ("password", "date", "date-time", "uuid", "email", "uri", "ipv4", "hostname", "byte"):
            for _ in range(3):
                text = formatted(kind, random) or ""
                for candidate in (text, text.upper(), text.capitalize() + "1!", str(random.randrange(1, 100_000))):
                    if accept(candidate):
                        return candidate
        raise NoValueError(f"no string was found that matches the pattern {expression!r}")


def formatted(name: str, random: Random) -> str | None:
    """A string of a format of JSON Schema 2020-12 (Validation, 7.3) or of the OpenAPI format registry."""
    token = "".join(random.choices(string.ascii_lowercase, k=8))
    day = f"20{random.randrange(20, 30)}-{random.randrange(1, 13):02d}-{random.randrange(1, 29):02d}"
    time = f"{random.randrange(24):02d}:{random.randrange(60):02d}:{random.randrange(60):02d}Z"
    match name:
        case "date":
            return day
        case "date-time":
            return f"{day}T{time}"
        case "time":
            return time
        case "duration":
            return f"PT{random.randrange(1, 60)}M"
        case "email" | "idn-email":
            return f"{token}@example.com"
        case "uuid" | "guid":
            return _uuid(random)
        case "uri" | "url" | "iri":
            return f"https://example.com/{token}"
        case "uri-reference" | "iri-reference" | "uri-template":
            return f"/{token}"
        case "hostname" | "idn-hostname":
            return f"{token}.example.com"
        case "ipv4" | "ip":
            return f"192.0.2.{random.randrange(1, 255)}"
        case "ipv6":
            return f"2001:db8::{random.randrange(1, 0xFFFF):x}"
        case "byte" | "base64":
            return base64.b64encode(token.encode()).decode()
        case "json-pointer":
            return f"/{token}"
        case "relative-json-pointer":
            return f"0/{token}"
        case "regex":
            return f"^{token}$"
        case "password":
            return f"{token.capitalize()}-{random.randrange(1000, 10_000)}"
        case _:
            return None


def _hinted(name: str, random: Random) -> str | None:
    """What a string without a format most likely holds, by the name of its field."""
    lowered = name.lower().replace("_", "").replace("-", "")
    if "email" in lowered:
        return formatted("email", random)
    if lowered.endswith(("url", "uri", "link", "website", "webhook")):
        return formatted("uri", random)
    if "phone" in lowered:
        return f"+1202555{random.randrange(100, 200):04d}"
    if "password" in lowered:
        return formatted("password", random)
    return None


def is_duration(name: str) -> bool:
    """Whether a target is likely to wait for as long as the parameter says."""
    return name.lower().endswith(DURATION_NAMES)


def _uuid(random: Random) -> str:
    """Version 4 (RFC 9562, 5.4)."""
    digits = f"{random.getrandbits(128):032x}"
    digits = f"{digits[:12]}4{digits[13:16]}{'89ab'[random.randrange(4)]}{digits[17:]}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def limits(flat: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """The least and the greatest number that a schema allows, with exclusive limits moved by one step, where a step
    is `multipleOf`, else 1 for integers and 0.01 for numbers."""
    step = number_step(flat)
    low, high = _decimal(flat.get("minimum")), _decimal(flat.get("maximum"))
    over, under = _decimal(flat.get("exclusiveMinimum")), _decimal(flat.get("exclusiveMaximum"))
    if over is not None and (low is None or over >= low):
        low = over + step
    if under is not None and (high is None or under <= high):
        high = under - step
    return low, high


def number_step(flat: Mapping[str, Any]) -> Decimal:
    multiple = _decimal(flat.get("multipleOf"))
    if multiple is not None and multiple > 0:
        return multiple
    return Decimal("0.01") if flat.get("type") == "number" else Decimal(1)


def _decimal(value: Json) -> Decimal | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and math.isinf(value))
    ):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _range(flat: Mapping[str, Any], name: str) -> tuple[Decimal, Decimal]:
    low, high = limits(flat)
    formats = INTEGER_FORMATS.get(str(flat.get("format", "")))
    if low is None:
        low = min(Decimal(1), high) if high is not None else Decimal(1)
    if high is None:
        # Small: an unlimited number may be a page size, and the first ids are the likeliest. A delay is waited for.
        spread = MOST_SECONDS if is_duration(name) else MOST_UNLIMITED
        high = max(Decimal(spread), low + spread * number_step(flat))
    if formats is not None:
        low, high = max(low, Decimal(formats[0])), min(high, Decimal(formats[1]))
    return low, high


def _pick(first: int, last: int, attempt: _Attempt, step: Decimal | int = 1) -> int:
    """A multiple of `step`, between `first` and `last` of them; the smallest request has the one nearest to 1."""
    if attempt.examples and not attempt.full:
        return min(max(math.ceil(1 / step), first), last)
    return attempt.random.randint(first, last)


def _integer(flat: Mapping[str, Any], attempt: _Attempt, name: str) -> int:
    low, high = _range(flat, name)
    least, most = math.ceil(low), math.floor(high)
    multiple = _decimal(flat.get("multipleOf"))
    if multiple is None or multiple <= 0:
        if least > most:
            raise NoValueError("the numeric limits leave no integer")
        return _pick(least, most, attempt)
    if multiple != multiple.to_integral_value():
        multiple = Decimal(multiple.as_integer_ratio()[0])
    first, last = math.ceil(low / multiple), math.floor(high / multiple)
    if first > last:
        raise NoValueError("the numeric limits leave no multiple")
    return int(multiple * _pick(first, last, attempt, multiple))


def _number(flat: Mapping[str, Any], attempt: _Attempt, name: str) -> int | float:
    low, high = _range(flat, name)
    step = number_step({**flat, "type": "number"})
    first, last = math.ceil(low / step), math.floor(high / step)
    if first > last:
        if low > high:
            raise NoValueError("the numeric limits leave no number")
        return float((low + high) / 2)
    value = step * _pick(first, last, attempt, step)
    return int(value) if value == value.to_integral_value() else float(value)


def _suggestions(flat: Mapping[str, Any]) -> Iterator[Json]:
    examples = flat.get("examples")
    if isinstance(examples, list):
        yield from examples
    if "example" in flat:
        yield flat["example"]
    if flat.get("default") is not None:
        yield flat["default"]


def _definition_name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1].replace("~1", "/").replace("~0", "~")


def _merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """One schema for what both say (`allOf` of two). Alternatives of both sides are kept by nesting them."""
    merged = dict(first)
    for key, value in second.items():
        if key not in merged or merged[key] == value:
            merged[key] = value
            continue
        present = merged[key]
        match key:
            case "properties" | "patternProperties":
                merged[key] = {
                    **present,
                    **{
                        name: {"allOf": [present[name], part]} if name in present else part
                        for name, part in value.items()
                    },
                }
            case "required":
                merged[key] = list(dict.fromkeys([*present, *value]))
            case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
                merged[key] = max(present, value)
            case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
                merged[key] = min(present, value)
            case "enum":
                merged[key] = [item for item in present if item in value]
            case "type":
                merged[key] = _common_types(present, value)
            case "oneOf" | "anyOf":
                # Each branch of one side meets each branch of the other.
                merged[key] = [{"allOf": [left, right]} for left in present for right in value][:64]
            case "additionalProperties" | "items":
                merged[key] = False if present is False or value is False else {"allOf": [present, value]}
            case _:
                merged[key] = value
    return merged


def _common_types(first: str | list[str], second: str | list[str]) -> str | list[str]:
    left = [first] if isinstance(first, str) else first
    right = [second] if isinstance(second, str) else second
    common = [name for name in left if name in right]
    if not common and {"integer", "number"} <= {*left, *right}:
        common = ["integer"]
    return common[0] if len(common) == 1 else common
