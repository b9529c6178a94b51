"""Valid requests: the smallest, the fullest, and the documented examples."""

from random import Random

from backend.app.engine.generate.case import WHOLE_BODY, Case, Expectation
from backend.app.engine.generate.requests import Inputs, RequestBuilder, body_media_type
from backend.app.engine.generate.values import NoValueError, ValueGenerator, is_duration
from backend.app.engine.schema import SchemaValidator
from backend.app.engine.spec.model import Json, MediaType, Operation, Parameter, ParameterLocation, Schema

MOST_EXAMPLES = 3
ATTEMPTS = 4
UNLIKELY_IDS = (1_000_000_000, 2_000_000_000)


class PositiveCases:
    def __init__(self, builder: RequestBuilder, generator: ValueGenerator, validator: SchemaValidator) -> None:
        self._builder = builder
        self._generator = generator
        self._validator = validator

    def minimal(self, operation: Operation, random: Random) -> Case:
        """The baseline: required parameters, and the body with its required properties.

        Raises `NoValueError` when a required part has no value and `UnsupportedBodyError` for the body.
        """
        inputs = self._inputs(operation, random, full=False, examples=True)
        return Case("valid", "smallest valid request", operation, inputs, Expectation.ACCEPTED)

    def spare(self, operation: Operation, random: Random) -> Case:
        """A request for something that nothing else will hang on, to be deleted. Raises like `minimal`."""
        inputs = self._inputs(operation, random, full=False, examples=False)
        return Case("valid", "valid request, for something to delete", operation, inputs, Expectation.ACCEPTED)

    def others(self, operation: Operation, random: Random, baseline: Case) -> list[Case]:
        """The full request and the documented examples, as far as they differ from what is there already."""
        found: list[Case] = []
        sent = [baseline.inputs]
        try:
            # Strings of our own instead of examples: a second object with the same unique name would be refused.
            inputs = self._inputs(operation, random, full=True, examples=False)
        except NoValueError:
            pass
        else:
            if not _same_parts(inputs, baseline.inputs):
                found.append(
                    Case("valid_full", "valid request with all parts", operation, inputs, Expectation.ACCEPTED)
                )
                sent.append(inputs)
        for number, inputs in enumerate(self._examples(operation, baseline.inputs), start=1):
            if inputs not in sent:
                sent.append(inputs)
                fixed = frozenset({WHOLE_BODY})
                title = f"documented example {number}"
                found.append(Case("example", title, operation, inputs, Expectation.ACCEPTED, fixed=fixed))
        return found

    def unlikely_id(self, schema: Schema, random: Random) -> Json:
        """A value for an id that most likely does not exist. Raises `NoValueError`."""
        if "integer" in self._generator.types(schema):
            number = random.randint(*UNLIKELY_IDS)
            if self._validator.is_valid(schema, number):
                return number
        return self._generator.generate(schema, random, examples=False)

    def _inputs(self, operation: Operation, random: Random, *, full: bool, examples: bool) -> Inputs:
        values: dict[tuple[ParameterLocation, str], Json] = {}
        for parameter in self._builder.parameters(operation):
            in_path = parameter.location is ParameterLocation.PATH
            if not (full or parameter.required or in_path):
                continue
            try:
                # Without an example an id would be random, and the object most likely unknown.
                value = self._parameter(operation, parameter, random, full, examples or in_path)
            except NoValueError as error:
                if parameter.required or in_path:
                    raise NoValueError(f"{parameter.location} parameter {parameter.name}: {error}") from error
                continue
            values[(parameter.location, parameter.name)] = value
        media = body_media_type(operation)
        if media is None:
            return Inputs(values)
        try:
            body = self._body(media, random, full, examples)
        except NoValueError as error:
            raise NoValueError(f"body: {error}") from error
        return Inputs(values, body, media.content_type, self._files(media))

    def _parameter(
        self, operation: Operation, parameter: Parameter, random: Random, full: bool, examples: bool
    ) -> Json:
        in_path = parameter.location is ParameterLocation.PATH
        if in_path and operation.method == "DELETE" and not is_duration(parameter.name):
            # An example may be the id of something that matters to somebody.
            return self.unlikely_id(parameter.schema, random)
        for example in parameter.examples if examples else ():
            if _sendable(parameter, example) and self._validator.is_valid(parameter.schema, example):
                return example
        for attempt in range(ATTEMPTS):
            value = self._generator.generate(
                parameter.schema, random, full=full, examples=examples and attempt == 0, name=parameter.name
            )
            if _sendable(parameter, value):
                return value
        raise NoValueError("no value was found that can be sent in this place")

    def _body(self, media: MediaType, random: Random, full: bool, examples: bool) -> Json:
        if media.schema is True or media.schema == {}:
            return media.examples[0] if media.examples else {}
        return self._generator.generate(media.schema, random, full=full, examples=examples)

    def _examples(self, operation: Operation, baseline: Inputs) -> list[Inputs]:
        """One request for each documented example. An example that breaks its own schema is not sent."""
        media = body_media_type(operation)
        bodies = [
            example
            for example in (media.examples if media else ())
            if media and self._validator.is_valid(media.schema, example)
        ]
        parameters = {
            (parameter.location, parameter.name): [
                example
                for example in parameter.examples
                if _sendable(parameter, example) and self._validator.is_valid(parameter.schema, example)
            ]
            for parameter in self._builder.parameters(operation)
            if not (operation.method == "DELETE" and parameter.location is ParameterLocation.PATH)
        }
        count = max([len(bodies), *map(len, parameters.values())], default=0)
        found = []
        for number in range(min(count, MOST_EXAMPLES)):
            values = dict(baseline.parameters)
            for key, examples in parameters.items():
                if examples:
                    values[key] = examples[min(number, len(examples) - 1)]
            body = bodies[min(number, len(bodies) - 1)] if bodies else baseline.body
            found.append(Inputs(values, body, baseline.media_type, baseline.files))
        return found

    def _files(self, media: MediaType) -> frozenset[str]:
        if not media.content_type.startswith("multipart/"):
            return frozenset()
        properties = self._generator.flat(media.schema).get("properties", {})
        return frozenset(name for name, schema in properties.items() if self._is_file(schema))

    def _is_file(self, schema: Schema) -> bool:
        flat = self._generator.flat(schema)
        if flat.get("type") == "array":
            return self._is_file(flat.get("items", True))
        return flat.get("format") == "binary" or flat.get("contentMediaType") == "application/octet-stream"


def _sendable(parameter: Parameter, value: Json) -> bool:
    """Whether the value keeps its meaning in its place: an empty path segment is another path, and a header holds
    visible ASCII (RFC 9110, 5.5)."""
    if value is None:
        return False
    match parameter.location:
        case ParameterLocation.PATH:
            return value not in ("", [], {})
        case ParameterLocation.HEADER:
            return not isinstance(value, str) or (
                value.isascii() and value.isprintable() and value == value.strip() and value != ""
            )
        case _:
            return True


def _same_parts(one: Inputs, other: Inputs) -> bool:
    """Whether both fill in the same parts, whatever the values."""
    return one.parameters.keys() == other.parameters.keys() and _shape(one.body) == _shape(other.body)


def _shape(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value[:1]]
    return None
