"""Base of everything that crosses the outside contract."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


def refuse_unstorable_text(value: Any) -> Any:
    """NUL and lone surrogates are refused at the edge: PostgreSQL cannot store them, SQLite would."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("text must not hold the NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("text must not hold lone surrogates") from None
    elif isinstance(value, dict):
        for key, item in value.items():
            refuse_unstorable_text(key)
            refuse_unstorable_text(item)
    elif isinstance(value, list):
        for item in value:
            refuse_unstorable_text(item)
    return value


class BaseSchema(BaseModel):
    """What we answer."""

    model_config = ConfigDict(from_attributes=True)


class InputSchema(BaseModel):
    """What we accept: unknown fields are refused, values are not coerced between types."""

    model_config = ConfigDict(extra="forbid", strict=False, str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        return refuse_unstorable_text(data)
