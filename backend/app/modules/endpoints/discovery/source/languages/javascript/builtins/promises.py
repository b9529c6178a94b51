"""`Promise`: a promise is the value it gives."""

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Closure,
    Native,
    NativeFunction,
    Unknown,
    Value,
)


def then(owner: Value, name: str, call: Call) -> Value:
    """A promise is the value it gives."""
    if name == "then":
        result = (
            call.evaluator.call_values(call.value(0), owner)
            if isinstance(call.value(0), (Closure, Native))
            else UNDEFINED
        )
        return owner if result is UNDEFINED else result
    if name == "finally":
        call.run_callbacks()
    return owner


def promise(call: Call) -> Value:
    """`new Promise(executor)`: what it is resolved with."""
    resolved: list[Value] = []

    def resolve(inner: Call) -> Value:
        resolved.append(inner.value(0))
        return UNDEFINED

    call.evaluator.call_values(
        call.value(0), NativeFunction(resolve, name="resolve"), NativeFunction(lambda inner: UNDEFINED)
    )
    return resolved[0] if resolved else Unknown("Promise")
