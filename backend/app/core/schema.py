"""Base of everything that crosses the outside contract."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema

_CONTROL: Final = "\\x00-\\x1f\\x7f-\\x9f\u2028\u2029"
_CONTROLS = re.compile(f"[{_CONTROL}]")
_WITHOUT_NUL: Final = r"^[^\x00]*$"


def refuse_control_characters(value: Any) -> Any:
    if isinstance(value, str) and _CONTROLS.search(value):
        raise ValueError("text must be one line without control characters")
    return value


Line: TypeAlias = Annotated[
    str, BeforeValidator(refuse_control_characters), Field(json_schema_extra={"pattern": f"^[^{_CONTROL}]*$"})
]
"""One line of text; spaces at its ends are removed."""

Label: TypeAlias = Annotated[
    Line,
    Field(min_length=1, json_schema_extra={"pattern": f"^[^{_CONTROL}]*[^\\s{_CONTROL}][^{_CONTROL}]*$"}),
]
"""A line that says something, such as a name."""

Verbatim: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=False)]
"""Text that is kept to the byte, such as a description or a secret."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}.*", re.DOTALL)


def refuse_other_times(value: Any) -> Any:
    """Left to itself pydantic takes numbers, also as text, for Unix timestamps, and a date for its midnight."""
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME.fullmatch(value)):
        return value
    raise ValueError("a time is written as 2026-01-31T12:00:00Z (RFC 3339)")


def in_utc(moment: datetime) -> datetime:
    """A time without a zone is taken as UTC. An offset can lead out of the years that there are."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time is in the years 1 to 9999, in UTC") from None


Time: TypeAlias = Annotated[datetime, BeforeValidator(refuse_other_times), AfterValidator(in_utc)]
"""A date and a time in a request, as in RFC 3339, 5.6; in UTC."""


MAX_DEPTH = 64
"""Levels of arrays and objects in what we accept: whoever walks it by recursion is safe."""


MAX_MEMBERS = 100
"""Of an object with known fields: each unknown one costs a fault, and megabytes of them cost seconds."""


def refuse_unstorable_text(value: Any) -> Any:
    """NUL and lone surrogates are refused at the edge: PostgreSQL cannot store them, SQLite would."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += item
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return value
        level = below
    raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ValueError("text must not hold the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("text must not hold lone surrogates") from None


class BaseSchema(BaseModel):
    """What we answer. The string below a field is its description in our OpenAPI document."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class InputSchema(BaseModel):
    """What we accept: unknown fields are refused, values are not coerced between types."""

    model_config = ConfigDict(extra="forbid", strict=False, str_strip_whitespace=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > MAX_MEMBERS:
            raise ValueError(f"has more than {MAX_MEMBERS} members")
        return refuse_unstorable_text(data)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            for text in (field, *field.get("anyOf", ())):
                is_free = text.get("format", "password") == "password" and not text.keys() & {
                    "pattern",
                    "enum",
                    "const",
                }
                if text.get("type") == "string" and is_free:
                    text["pattern"] = _WITHOUT_NUL
        return schema
