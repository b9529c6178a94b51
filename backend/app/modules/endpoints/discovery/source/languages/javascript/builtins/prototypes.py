"""Members that values have of the language: methods of lists and texts."""

from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.arrays import ARRAY_METHODS
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.promises import then
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.strings import (
    STRING_METHODS,
    call_string_method,
    character,
    test,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    ClassValue,
    Closure,
    NativeFunction,
    Obj,
    Regex,
    Undefined,
    Unknown,
    Value,
    is_known,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def prototype_member(evaluator: "Evaluator", owner: Value, name: str) -> Value:
    """A property of something that is no object of the program's own."""
    if isinstance(owner, list):
        if name == "length":
            return len(owner)
        if name.isdecimal():
            return owner[int(name)] if int(name) < len(owner) else UNDEFINED
        if name in ARRAY_METHODS:
            return NativeFunction(lambda call: ARRAY_METHODS[name](owner, call), name=name)
    elif isinstance(owner, str):
        if name == "length":
            return len(owner) if is_known(owner) else Unknown()
        if name.isdecimal():
            return character(owner, int(name))
        if name in STRING_METHODS:
            return NativeFunction(lambda call: call_string_method(owner, name, call), name=name)
    elif isinstance(owner, Regex):
        if name == "test":
            return NativeFunction(lambda call: test(owner, call.value(0)), name=name)
        if name == "source":
            return owner.source
    elif isinstance(owner, (Obj, Closure, ClassValue)):
        if name == "hasOwnProperty":
            return NativeFunction(lambda call: call.text(0) in owner.props, name=name)
        if name in ("then", "catch", "finally"):
            return NativeFunction(lambda call: then(owner, name, call), name=name)
        if name == "name" and isinstance(owner, Closure):
            return owner.name
        if name == "toString":
            return NativeFunction(lambda call: Unknown(), name=name)
        return UNDEFINED
    if name in ("then", "catch", "finally"):
        return NativeFunction(lambda call: then(owner, name, call), name=name)
    if name == "toString":
        return NativeFunction(lambda call: text_of(owner), name=name)
    if isinstance(owner, Undefined) or owner is None:
        return Unknown(name)
    return UNDEFINED
