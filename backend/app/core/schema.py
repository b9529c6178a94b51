"""Base of everything that crosses the outside contract."""

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def refuse_control_characters(value: Any) -> Any:
    if isinstance(value, str) and _CONTROLS.search(value):
        raise ValueError("text must be one line without control characters")
    return value


Line: TypeAlias = Annotated[str, BeforeValidator(refuse_control_characters)]
"""One line of text, such as a name; spaces at its ends are removed."""

Verbatim: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=False)]
"""Text that is kept to the byte, such as a description or a secret."""


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
