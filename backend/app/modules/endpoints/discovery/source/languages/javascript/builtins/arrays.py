"""`Array` and its methods."""

from collections.abc import Callable, Iterable

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.promises import then
from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ITEMS
from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import truth
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Closure,
    Unknown,
    Value,
    flat,
    is_known,
    joined,
    text_of,
)


def _each(items: list[Value], call: Call) -> list[tuple[Value, Value]]:
    function = call.value(0)
    evaluator = call.evaluator
    evaluator.budget.spend(len(items) // 10)
    return [
        (item, evaluator.force(evaluator.call_values(function, item, index, items)))
        for index, item in enumerate(map(evaluator.force, items[:MOST_ITEMS]))
    ]


def _for_each(items: list[Value], call: Call) -> Value:
    _each(items, call)
    return UNDEFINED


def _filter(items: list[Value], call: Call) -> Value:
    if not isinstance(call.value(0), Closure):
        return [item for item in map(call.evaluator.force, items) if item not in (None, UNDEFINED, False, "", 0)]
    return [item for item, kept in _each(items, call) if truth(kept) is not False]


def _find(items: list[Value], call: Call) -> Value:
    """The first that fits; when that cannot be told, the first that may."""
    results = _each(items, call)
    for wanted in (True, None):
        for item, fits in results:
            if truth(fits) is wanted:
                return item
    return UNDEFINED


def _some(items: list[Value], call: Call) -> Value:
    known = [truth(fits) for _, fits in _each(items, call)]
    return True if True in known else Unknown() if None in known else False


def _every(items: list[Value], call: Call) -> Value:
    known = [truth(fits) for _, fits in _each(items, call)]
    return False if False in known else Unknown() if None in known else True


def _reduce(items: list[Value], call: Call) -> Value:
    rest = list(items)
    if len(call) > 1:
        total = call.value(1)
    elif rest:
        total = call.evaluator.force(rest.pop(0))
    else:
        return UNDEFINED
    for index, item in enumerate(rest[:MOST_ITEMS]):
        total = call.evaluator.force(
            call.evaluator.call_values(call.value(0), total, call.evaluator.force(item), index)
        )
    return total


def _push(items: list[Value], call: Call) -> Value:
    if len(items) < MOST_ITEMS:
        items.extend(call.raws())
    return len(items)


def _unshift(items: list[Value], call: Call) -> Value:
    if len(items) < MOST_ITEMS:
        items[:0] = call.raws()
    return len(items)


def _concat(items: list[Value], call: Call) -> Value:
    return _flattened([items, *call.values()])


def _slice(items: list[Value], call: Call) -> Value:
    start, end = (value if isinstance(value, int) else None for value in (call.value(0), call.value(1)))
    return items[start:end]


def _splice(items: list[Value], call: Call) -> Value:
    start, count = call.value(0), call.value(1)
    if not isinstance(start, int):
        return []
    end = start + count if isinstance(count, int) else None
    removed = items[start:end]
    items[start:end] = call.raws()[2:] if len(items) < MOST_ITEMS else []
    return removed


def _flat(items: list[Value], call: Call) -> Value:
    if call.value(0) is not UNDEFINED:
        return flat(items, call.evaluator.force)
    return _flattened(map(call.evaluator.force, items))


def _flattened(items: Iterable[Value]) -> list[Value]:
    """By one level."""
    result: list[Value] = []
    for item in items:
        result += item[: MOST_ITEMS - len(result)] if isinstance(item, list) else [item]
        if len(result) >= MOST_ITEMS:
            break
    return result


def _flat_map(items: list[Value], call: Call) -> Value:
    return _flattened(made for _, made in _each(items, call))


def _includes(items: list[Value], call: Call) -> Value:
    wanted = call.value(0)
    call.evaluator.budget.spend(len(items) // 10)
    values = [call.evaluator.force(item) for item in items]
    if isinstance(wanted, (str, int)):
        if any(type(value) is type(wanted) and value == wanted for value in values):
            return True
        return Unknown() if any(isinstance(value, Unknown) for value in values) or not is_known(str(wanted)) else False
    return Unknown()


def _index_of(items: list[Value], call: Call) -> Value:
    found = _includes(items, call)
    if found is True:
        wanted = call.value(0)
        return next(index for index, item in enumerate(map(call.evaluator.force, items)) if item == wanted)
    return -1 if found is False else Unknown()


def _join(items: list[Value], call: Call) -> Value:
    separator = call.value(0)
    texts = (text_of(call.evaluator.force(item)) for item in items)
    return joined(texts, separator if isinstance(separator, str) else ",")


def _at(items: list[Value], call: Call) -> Value:
    index = call.value(0)
    return items[index] if isinstance(index, int) and -len(items) <= index < len(items) else UNDEFINED


ARRAY_METHODS: dict[str, Callable[[list[Value], Call], Value]] = {
    "forEach": _for_each,
    "map": lambda items, call: [made for _, made in _each(items, call)],
    "filter": _filter,
    "find": _find,
    "findLast": _find,
    "some": _some,
    "every": _every,
    "reduce": _reduce,
    "push": _push,
    "unshift": _unshift,
    "pop": lambda items, call: items.pop() if items else UNDEFINED,
    "shift": lambda items, call: items.pop(0) if items else UNDEFINED,
    "concat": _concat,
    "slice": _slice,
    "splice": _splice,
    "flat": _flat,
    "flatMap": _flat_map,
    "includes": _includes,
    "indexOf": _index_of,
    "join": _join,
    "at": _at,
    "reverse": lambda items, call: items[::-1],
    "toReversed": lambda items, call: items[::-1],
    "sort": lambda items, call: items,
    "toSorted": lambda items, call: items,
    "keys": lambda items, call: list(range(len(items))),
    "values": lambda items, call: items,
    "entries": lambda items, call: [[index, item] for index, item in enumerate(items)],
    "then": lambda items, call: then(items, "then", call),
    "catch": lambda items, call: items,
    "finally": lambda items, call: items,
}


def is_array(call: Call) -> Value:
    value = call.value(0)
    return Unknown() if isinstance(value, Unknown) else isinstance(value, list)


def array_from(call: Call) -> Value:
    items = call.evaluator.iterate(call.value(0))
    if items is None:
        return Unknown()
    if len(call) > 1:
        return [call.evaluator.call_values(call.value(1), item, index) for index, item in enumerate(items)]
    return items
