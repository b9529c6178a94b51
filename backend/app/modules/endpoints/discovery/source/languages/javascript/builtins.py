"""What the language and Node bring along, as far as it decides which routes there are: lists, texts, objects, paths,
listings of folders."""

import fnmatch
import posixpath
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import re2

from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import truth
from backend.app.modules.endpoints.discovery.source.languages.javascript.reflect import Reflect
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import SUFFIXES
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    BoundMethod,
    Call,
    ClassValue,
    Closure,
    Lazy,
    Native,
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

_MOST = 5_000
"""Elements of a list that a method makes."""
ROOT = "/repo"
"""Where the tree lies, to the program that is followed."""


class MapValue(Native):
    """A `Map`."""

    def __init__(self, pairs: list[tuple[Value, Value]]) -> None:
        self.pairs = pairs

    def get(self, name: str, evaluator: "Evaluator") -> Value:
        return len(self.pairs) if name == "size" else BoundMethod(self, name)

    def call(self, name: str, call: Call) -> Value:
        if name == "set":
            key = call.value(0)
            self.pairs = [pair for pair in self.pairs if not _same_key(pair[0], key)] + [(key, call.raw(1))]
            return self
        if name == "get":
            key = call.value(0)
            missing = UNDEFINED if self._knows(key) else Unknown("Map.get")
            return next((each for known, each in self.pairs if _same_key(known, key)), missing)
        if name == "has":
            return (
                any(_same_key(known, call.value(0)) for known, _ in self.pairs)
                if self._knows(call.value(0))
                else Unknown()
            )
        if name == "forEach":
            for key, each in self.pairs:
                call.evaluator.call_values(call.value(0), each, key)
            return UNDEFINED
        if name in ("values", "keys", "entries"):
            return [{"values": each, "keys": key}.get(name, [key, each]) for key, each in self.pairs]
        return super().call(name, call)

    def _knows(self, key: Value) -> bool:
        """Whether it can be told that a key is not there."""
        return all(_is_known_key(each) for each in (key, *(known for known, _ in self.pairs)))


def _is_known_key(key: Value) -> bool:
    return isinstance(key, (Obj, Closure, ClassValue, Native)) or (isinstance(key, (str, int)) and is_known(str(key)))


def _same_key(left: Value, right: Value) -> bool:
    return left is right or (isinstance(left, (str, int)) and isinstance(right, (str, int)) and left == right)


def member(evaluator: "Evaluator", owner: Value, name: str) -> Value:
    """A property of something that is no object of the program's own."""
    if isinstance(owner, list):
        if name == "length":
            return len(owner)
        if name.isdecimal():
            return owner[int(name)] if int(name) < len(owner) else UNDEFINED
        if name in _LIST:
            return NativeFunction(lambda call: _LIST[name](owner, call), name=name)
    elif isinstance(owner, str):
        if name == "length":
            return Unknown() if not is_known(owner) else len(owner)
        if name.isdecimal():
            return owner[int(name)] if int(name) < len(owner) else UNDEFINED
        if name in _TEXT:
            return NativeFunction(lambda call: _TEXT[name](owner, call), name=name)
    elif isinstance(owner, Regex):
        if name == "test":
            return NativeFunction(lambda call: _test(owner, call.value(0)), name=name)
        if name == "source":
            return owner.source
    elif isinstance(owner, (Obj, Closure, ClassValue)):
        if name == "hasOwnProperty":
            return NativeFunction(lambda call: call.text(0) in owner.props, name=name)
        if name in ("then", "catch", "finally"):
            return NativeFunction(lambda call: _then(owner, name, call), name=name)
        if name == "name" and isinstance(owner, Closure):
            return owner.name
        if name == "toString":
            return NativeFunction(lambda call: Unknown(), name=name)
        return UNDEFINED
    if name in ("then", "catch", "finally"):
        return NativeFunction(lambda call: _then(owner, name, call), name=name)
    if name == "toString":
        return NativeFunction(lambda call: text_of(owner), name=name)
    if isinstance(owner, Undefined) or owner is None:
        return Unknown(name)
    return UNDEFINED


def _then(owner: Value, name: str, call: Call) -> Value:
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


# lists


def _each(items: list[Value], call: Call) -> list[tuple[Value, Value]]:
    function = call.value(0)
    evaluator = call.evaluator
    return [
        (item, evaluator.force(evaluator.call_values(function, item, index, items)))
        for index, item in enumerate(map(evaluator.force, items[:_MOST]))
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
    for index, item in enumerate(rest[:_MOST]):
        total = call.evaluator.force(
            call.evaluator.call_values(call.value(0), total, call.evaluator.force(item), index)
        )
    return total


def _push(items: list[Value], call: Call) -> Value:
    if len(items) < _MOST:
        items.extend(call.raws())
    return len(items)


def _unshift(items: list[Value], call: Call) -> Value:
    if len(items) < _MOST:
        items[:0] = call.raws()
    return len(items)


def _concat(items: list[Value], call: Call) -> Value:
    result = list(items)
    for value in call.values():
        result += value if isinstance(value, list) else [value]
    return result[:_MOST]


def _slice(items: Any, call: Call) -> Value:
    bounds = [value if isinstance(value, int) else None for value in call.values()[:2]]
    return items[slice(*(bounds or [None]))] if len(bounds) != 1 else items[bounds[0] :]


def _splice(items: list[Value], call: Call) -> Value:
    start, count = call.value(0), call.value(1)
    if not isinstance(start, int):
        return []
    end = start + count if isinstance(count, int) else None
    removed = items[start:end]
    items[start:end] = call.raws()[2:]
    return removed


def _flat(items: list[Value], call: Call) -> Value:
    deep = call.value(0) is not UNDEFINED
    result: list[Value] = []
    for item in map(call.evaluator.force, items):
        if isinstance(item, list):
            result += _flat(item, call) if deep else item
        else:
            result.append(item)
    return result[:_MOST]


def _flat_map(items: list[Value], call: Call) -> Value:
    result: list[Value] = []
    for _, made in _each(items, call):
        result += made if isinstance(made, list) else [made]
    return result[:_MOST]


def _includes(items: list[Value], call: Call) -> Value:
    wanted = call.value(0)
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
    return (separator if isinstance(separator, str) else ",").join(
        text_of(call.evaluator.force(item)) for item in items
    )


def _at(items: Any, call: Call) -> Value:
    index = call.value(0)
    return items[index] if isinstance(index, int) and -len(items) <= index < len(items) else UNDEFINED


_LIST: dict[str, Callable[[list[Value], Call], Value]] = {
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
    "then": lambda items, call: _then(items, "then", call),
    "catch": lambda items, call: items,
    "finally": lambda items, call: items,
}


# texts


def compiled(pattern: Regex) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = "i" not in pattern.flags
    source = pattern.source.replace("\\/", "/").replace("(?<", "(?P<")
    try:
        return re2.compile(source, options)
    except re2.error:
        return None


def _test(pattern: Regex, value: Value) -> Value:
    expression = compiled(pattern)
    if expression is None or not isinstance(value, str) or not is_known(value):
        return Unknown()
    return expression.search(value) is not None


def _match(text: str, call: Call) -> Value:
    pattern = call.value(0)
    expression = compiled(pattern) if isinstance(pattern, Regex) else None
    if expression is None:
        return Unknown()
    found = expression.search(text)
    if found is None:
        return None
    return [found[0], *(UNDEFINED if group is None else group for group in found.groups())]


def _replace(text: str, call: Call, everywhere: bool) -> Value:
    wanted, by = call.value(0), call.value(1)
    if isinstance(wanted, Regex):
        expression = compiled(wanted)
        if expression is None:
            return Unknown()
        count = 0 if "g" in wanted.flags else 1
        if isinstance(by, str):
            template = by.replace("\\", "\\\\")
            for number in range(1, 10):
                template = template.replace(f"${number}", f"\\{number}")
            try:
                return expression.sub(template, text, count)
            except (re2.error, IndexError):
                return Unknown()
        if isinstance(by, (Closure, NativeFunction)):
            return expression.sub(
                lambda match: text_of(call.evaluator.force(call.evaluator.call_values(by, match[0], *match.groups()))),
                text,
                count,
            )
        return Unknown()
    if isinstance(wanted, str) and isinstance(by, str):
        return text.replace(wanted, by) if everywhere else text.replace(wanted, by, 1)
    return Unknown()


def _split(text: str, call: Call) -> Value:
    separator = call.value(0)
    if isinstance(separator, str):
        return text.split(separator) if separator else list(text)
    expression = compiled(separator) if isinstance(separator, Regex) else None
    return list(expression.split(text)) if expression is not None else Unknown()


def _substring(text: str, call: Call) -> Value:
    start, end = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    return text[max(start, 0) : max(end, 0)] if isinstance(end, int) else text[max(start, 0) :]


def _substr(text: str, call: Call) -> Value:
    start, length = call.value(0), call.value(1)
    if not isinstance(start, int):
        return Unknown()
    return text[start:][:length] if isinstance(length, int) else text[start:]


def _asks(test: Callable[[str, str], Any]) -> Callable[[str, Call], Value]:
    def ask(text: str, call: Call) -> Value:
        other = call.value(0)
        return test(text, other) if isinstance(other, str) and is_known(text + other) else Unknown()

    return ask


def _repeat(text: str, call: Call) -> Value:
    count = call.value(0)
    return text * count if isinstance(count, int) and 0 <= count * len(text) < 10_000 else Unknown()


_TEXT: dict[str, Callable[[str, Call], Value]] = {
    "split": _split,
    "replace": lambda text, call: _replace(text, call, False),
    "replaceAll": lambda text, call: _replace(text, call, True),
    "toLowerCase": lambda text, call: text.lower(),
    "toUpperCase": lambda text, call: text.upper(),
    "toLocaleLowerCase": lambda text, call: text.lower(),
    "trim": lambda text, call: text.strip(),
    "trimEnd": lambda text, call: text.rstrip(),
    "trimStart": lambda text, call: text.lstrip(),
    "toString": lambda text, call: text,
    "valueOf": lambda text, call: text,
    "startsWith": _asks(str.startswith),
    "endsWith": _asks(str.endswith),
    "includes": _asks(lambda text, other: other in text),
    "indexOf": _asks(str.find),
    "lastIndexOf": _asks(str.rfind),
    "slice": _slice,
    "substring": _substring,
    "substr": _substr,
    "concat": lambda text, call: text + "".join(map(text_of, call.values())),
    "match": _match,
    "charAt": lambda text, call: _at(text, call) if _at(text, call) is not UNDEFINED else "",
    "at": _at,
    "repeat": _repeat,
}


# globals


def _functions(functions: dict[str, Callable[[Call], Value]]) -> dict[str, Value]:
    return {name: NativeFunction(body, name=name) for name, body in functions.items()}


def _assign(call: Call) -> Value:
    target = call.value(0)
    for value in call.values()[1:]:
        if isinstance(target, (Obj, Closure, ClassValue)) and isinstance(value, (Obj, Closure)):
            target.props.update(call.evaluator.entries(value))
        elif isinstance(target, Native) and isinstance(value, Obj):
            for key, each in call.evaluator.entries(value):
                target.set(key, each)
    return target


def _merge(call: Call) -> Value:
    """As `_assign`, within what both have too."""
    target = call.value(0)
    for value in call.values()[1:]:
        _merge_into(target, value, call.evaluator, 0)
    return target


def _merge_into(target: Value, value: Value, evaluator: "Evaluator", depth: int) -> None:
    if not isinstance(target, (Obj, Closure, ClassValue)) or not isinstance(value, Obj) or depth > 12:
        return
    for key, each in evaluator.entries(value):
        known = evaluator.force(target.props.get(key))
        if isinstance(known, Obj) and isinstance(each, Obj) and known is not each:
            _merge_into(known, each, evaluator, depth + 1)
        elif each is not UNDEFINED:
            target.props[key] = each


def _clone(value: Value, evaluator: "Evaluator", depth: int = 0) -> Value:
    value = evaluator.force(value)
    if depth > 12 or not isinstance(value, (Obj, list)) or (isinstance(value, Obj) and value.base is not None):
        return value
    if isinstance(value, list):
        return [_clone(each, evaluator, depth + 1) for each in value]
    return Obj({key: _clone(each, evaluator, depth + 1) for key, each in evaluator.entries(value)}, value.parent)


def _entries(call: Call, part: Callable[[str, Value], Value]) -> Value:
    value = call.value(0)
    if isinstance(value, list):
        return [part(str(index), each) for index, each in enumerate(map(call.evaluator.force, value))]
    if isinstance(value, MapValue):
        return UNDEFINED
    return (
        [part(*pair) for pair in call.evaluator.entries(value)]
        if isinstance(value, (Obj, Closure, ClassValue))
        else Unknown()
    )


def _from_entries(call: Call) -> Value:
    result = Obj()
    for pair in call.evaluator.iterate(call.value(0)) or ():
        if isinstance(pair, list) and len(pair) > 1:
            result.props[text_of(call.evaluator.force(pair[0]))] = pair[1]
    return result


def _is_array(call: Call) -> Value:
    value = call.value(0)
    return Unknown() if isinstance(value, Unknown) else isinstance(value, list)


def _array_from(call: Call) -> Value:
    items = call.evaluator.iterate(call.value(0))
    if items is None:
        return Unknown()
    if len(call) > 1:
        return [call.evaluator.call_values(call.value(1), item, index) for index, item in enumerate(items)]
    return items


def _promise(call: Call) -> Value:
    """`new Promise(executor)`: what it is resolved with."""
    resolved: list[Value] = []

    def resolve(inner: Call) -> Value:
        resolved.append(inner.value(0))
        return UNDEFINED

    call.evaluator.call_values(
        call.value(0), NativeFunction(resolve, name="resolve"), NativeFunction(lambda inner: UNDEFINED)
    )
    return resolved[0] if resolved else Unknown("Promise")


def _new_map(call: Call) -> Value:
    pairs = call.evaluator.iterate(call.value(0)) or []
    return MapValue(
        [(call.evaluator.force(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list) and len(pair) > 1]
    )


def _define_property(call: Call) -> Value:
    target, name, descriptor = call.value(0), call.text(1), call.options(2)
    if name and isinstance(target, (Obj, Closure)):
        if descriptor.has("value"):
            target.props[name] = descriptor.get("value")
        elif isinstance(getter := descriptor.get("get"), Closure):
            target.props[name] = call.evaluator.call_function(getter, [], target)
    return target


def globals_of(evaluator: "Evaluator") -> dict[str, Value]:
    first = lambda call: call.value(0)  # noqa: E731
    object_functions = _functions(
        {
            "assign": _assign,
            "keys": lambda call: _entries(call, lambda key, value: key),
            "getOwnPropertyNames": lambda call: _entries(call, lambda key, value: key),
            "values": lambda call: _entries(call, lambda key, value: value),
            "entries": lambda call: _entries(call, lambda key, value: [key, value]),
            "fromEntries": _from_entries,
            "freeze": first,
            "seal": first,
            "create": lambda call: Obj(parent=value if isinstance(value := call.value(0), Obj) else None),
            "setPrototypeOf": first,
            "defineProperty": _define_property,
        }
    )
    settled = lambda call: call.value(0)  # noqa: E731
    symbols = count()
    result: dict[str, Value] = {
        "Object": NativeFunction(first, object_functions, "Object"),
        "Array": NativeFunction(
            lambda call: call.values(),
            _functions(
                {
                    "isArray": _is_array,
                    "from": _array_from,
                    "of": lambda call: call.values(),
                }
            ),
            "Array",
        ),
        "Promise": NativeFunction(
            _promise,
            _functions(dict.fromkeys(("all", "allSettled", "resolve", "race", "any"), settled)),
            "Promise",
        ),
        "Map": NativeFunction(_new_map, name="Map"),
        "WeakMap": NativeFunction(_new_map, name="WeakMap"),
        "Reflect": Reflect(),
        "Set": NativeFunction(lambda call: call.evaluator.iterate(call.value(0)) or [], name="Set"),
        "String": NativeFunction(lambda call: text_of(call.value(0)), name="String"),
        "Number": NativeFunction(lambda call: _number(call.value(0)), name="Number"),
        "parseInt": NativeFunction(lambda call: _number(call.value(0)), name="parseInt"),
        "Boolean": NativeFunction(lambda call: _boolean(call.value(0)), name="Boolean"),
        "encodeURIComponent": NativeFunction(first, name="encodeURIComponent"),
        "URL": NativeFunction(_url, name="URL"),
        "RegExp": NativeFunction(lambda call: _regexp(call), name="RegExp"),
        "process": Obj(
            {
                "env": Unknown("process.env"),
                "cwd": NativeFunction(_cwd, name="cwd"),
                "argv": Unknown("process.argv"),
                "platform": "linux",
                # signals and the end are nothing that happens when a program starts
                **_functions(dict.fromkeys(("on", "once"), lambda call: Unknown("process"))),
            }
        ),
        "Symbol": NativeFunction(
            lambda call: f"@@{call.text(0) or ''} {next(symbols)}",
            {"for": NativeFunction(lambda call: f"@@{call.text(0) or ''}")},
            "Symbol",
        ),
    }
    result["globalThis"] = result["global"] = Obj(result)
    return result


def _number(value: Value) -> Value:
    try:
        return int(value) if isinstance(value, str) else value if isinstance(value, (int, float)) else Unknown()
    except ValueError:
        return Unknown()


def _boolean(value: Value) -> Value:
    known = truth(value)
    return Unknown() if known is None else known


def _regexp(call: Call) -> Value:
    source = call.value(0)
    if isinstance(source, Regex):
        return source
    return Regex(source, call.text(1) or "") if isinstance(source, str) and is_known(source) else Unknown("RegExp")


def _cwd(call: Call) -> Value:
    folder = call.evaluator.resolver.package_folder(call.file)
    return f"{ROOT}/{folder}".rstrip("/")


def _url(call: Call) -> Value:
    text, base = call.value(0), call.value(1)
    if isinstance(text, str) and isinstance(base, str) and base.startswith("file://"):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base.removeprefix("file://")), text))
        return Obj({"pathname": path, "href": f"file://{path}"})
    return Unknown("URL")


# Node's modules


def _paths(call: Call) -> list[str]:
    return [
        text_of(value.props.get("pathname", "")) if isinstance(value, Obj) else text_of(value)
        for value in call.values()
    ]


def _path_join(call: Call) -> Value:
    path = posixpath.normpath("/".join(part for part in _paths(call) if part) or ".")
    return path.removeprefix("/") if path.startswith("//") else path  # Python keeps two slashes at the beginning


def _path_resolve(call: Call) -> Value:
    path = text_of(_cwd(call))
    for part in _paths(call):
        path = posixpath.join(path, part)
    return posixpath.normpath(path)


def _basename(call: Call) -> Value:
    path, ending = call.text(0), call.text(1)
    if path is None:
        return Unknown("basename")
    name = posixpath.basename(path.rstrip("/"))
    return name.removesuffix(ending) if ending and name != ending else name


def _of_path(function: Callable[[str], str]) -> Callable[[Call], Value]:
    def of_path(call: Call) -> Value:
        path = call.text(0)
        return Unknown("path") if path is None else function(path)

    return of_path


def _relative(call: Call) -> Value:
    start, path = call.text(0), call.text(1)
    if start is None or path is None or not start.startswith("/") or not path.startswith("/"):
        return Unknown("relative")
    return posixpath.relpath(path, start)


def _parse_path(path: str) -> Value:
    folder, base = posixpath.split(path)
    name, ending = posixpath.splitext(base)
    return Obj({"dir": folder, "base": base, "name": name, "ext": ending, "root": "/" if path.startswith("/") else ""})


def _path_module(evaluator: "Evaluator") -> Value:
    module = Obj(
        _functions(
            {
                "join": _path_join,
                "resolve": _path_resolve,
                "basename": _basename,
                "dirname": _of_path(posixpath.dirname),
                "extname": _of_path(lambda path: posixpath.splitext(path)[1]),
                "normalize": _of_path(posixpath.normpath),
                "relative": _relative,
                "parse": _of_path(_parse_path),
                "isAbsolute": _of_path(lambda path: path.startswith("/")),  # type: ignore[arg-type, return-value]
            }
        )
        | {"sep": "/"}
    )
    module.props["posix"] = module
    return module


def inside(path: str) -> str | None:
    """Relative to the tree; None: it is not in it."""
    if path == ROOT:
        return ""
    return path.removeprefix(f"{ROOT}/") if path.startswith(f"{ROOT}/") else None


def _folder(call: Call, index: int = 0) -> str | None:
    value = call.value(index)
    path = value.props.get("pathname") if isinstance(value, Obj) else value
    if not isinstance(path, str) or not is_known(path):
        return None
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if not path.startswith("/"):
        path = posixpath.join(text_of(_cwd(call)), path)
    return inside(posixpath.normpath(path))


def _readdir(call: Call) -> Value:
    folder = _folder(call)
    if folder is None:
        return Unknown("readdir")
    options = call.options(1)
    deep = options.get("recursive") is True
    entries = list(_listed(call.evaluator, folder, deep))
    if options.get("withFileTypes") is True:
        return [_entry(posixpath.join(f"{ROOT}/{folder}", name), is_folder) for name, is_folder in entries]
    return [name for name, _ in entries]


def _listed(evaluator: "Evaluator", folder: str, deep: bool) -> list[tuple[str, bool]]:
    result = []
    for name, is_folder in evaluator.resolver.listing(folder).items():
        result.append((name, is_folder))
        if deep and is_folder:
            below = _listed(evaluator, posixpath.join(folder, name), True)
            result += [(f"{name}/{inner}", each) for inner, each in below]
    return result[:_MOST]


def _entry(path: str, is_folder: bool) -> Value:
    folder, name = posixpath.split(path)
    return Obj(
        {
            "name": name,
            "path": folder,
            "parentPath": folder,
            **_functions({"isDirectory": lambda call: is_folder, "isFile": lambda call: not is_folder}),
        }
    )


def _stat(call: Call) -> Value:
    path = _folder(call)
    if path is None:
        return Unknown("stat")
    return _entry(path, bool(call.evaluator.resolver.listing(path)))


def _exists(call: Call) -> Value:
    path = _folder(call)
    if path is None:
        return Unknown("exists")
    return True if path in call.evaluator.resolver.paths or call.evaluator.resolver.listing(path) else Unknown()


def _with_callback(function: Callable[[Call], Value]) -> Callable[[Call], Value]:
    """Node's older manner: the result is given to the last argument."""

    def run(call: Call) -> Value:
        result = function(call)
        last = call.value(len(call) - 1)
        if isinstance(last, Closure):
            call.evaluator.call_values(last, None, result)
        return result

    return run


def _fs_module(evaluator: "Evaluator") -> Value:
    read = _functions(
        {
            "readdir": _with_callback(_readdir),
            "readdirSync": _readdir,
            "stat": _with_callback(_stat),
            "lstat": _with_callback(_stat),
            "statSync": _stat,
            "lstatSync": _stat,
            "existsSync": _exists,
            "exists": _exists,
        }
    )
    return Obj({**read, "promises": Obj(read)}, parent=None)


def _glob(call: Call) -> Value:
    patterns = call.value(0)
    options = call.options(1)
    cwd = options.get("cwd")
    base = cwd if isinstance(cwd, str) else text_of(_cwd(call))
    absolute = options.get("absolute") is True
    found: dict[str, None] = {}
    texts = [
        pattern for pattern in (patterns if isinstance(patterns, list) else [patterns]) if isinstance(pattern, str)
    ]
    if not texts or not is_known("".join([base, *texts])):
        return Unknown("glob")
    for text in texts:
        if text.startswith("!"):
            continue
        full = posixpath.normpath(posixpath.join(base, text))
        for match in expand(full):
            pattern = re2.compile(_glob_pattern(match))
            for path in sorted(call.evaluator.resolver.paths):
                if pattern.fullmatch(f"{ROOT}/{path}"):
                    name = f"{ROOT}/{path}"
                    found[name if absolute or text.startswith("/") else posixpath.relpath(name, base)] = None
    return list(found)


def expand(pattern: str) -> list[str]:
    """Braces: `a.{js,ts}` is `a.js` and `a.ts`."""
    start = pattern.find("{")
    end = pattern.find("}", start)
    if start < 0 or end < 0:
        return [pattern]
    middles = pattern[start + 1 : end].split(",")[:20]
    return [each for middle in middles for each in expand(pattern[:start] + middle + pattern[end + 1 :])][:200]


def _glob_pattern(pattern: str) -> str:
    result = []
    for part in pattern.split("/"):
        if part == "**":
            result.append("(?:[^/]+/)*")
            continue
        for ending, others in ((".js", "[jt]sx?|[cm][jt]s"), (".ts", "[jt]sx?|[cm][jt]s")):
            if part.endswith(ending):
                part = part.removesuffix(ending)
                translated = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z")
                result.append(f"{translated.replace('.*', '[^/]*')}\\.(?:{others})/")
                break
        else:
            translated = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z")
            result.append(f"{translated.replace('.*', '[^/]*')}/")
    return "".join(result).removesuffix("/")


def _glob_module(evaluator: "Evaluator") -> Value:
    glob = NativeFunction(_with_callback(_glob), name="glob")
    glob.props.update(
        {"sync": glob, "globSync": glob, "glob": glob, "globby": glob, "globbySync": glob, "default": glob}
    )
    return glob


def _lodash(evaluator: "Evaluator") -> Value:
    def over(method: str) -> Callable[[Call], Value]:
        def run(call: Call) -> Value:
            items = call.value(0)
            inner = Call(call.evaluator, call.arguments[1:], call.file, call.line)
            if isinstance(items, list):
                return _LIST[method](items, inner)
            if isinstance(items, Obj):
                made = []
                for key, value in call.evaluator.entries(items):
                    made.append(call.evaluator.force(call.evaluator.call_values(inner.value(0), value, key)))
                return made
            inner.run_callbacks()
            return Unknown("lodash")

        return run

    same = {name: name for name in ("map", "filter", "find", "reduce", "some", "every", "concat", "includes", "join")}
    names = {
        **same,
        "forEach": "forEach",
        "each": "forEach",
        "forOwn": "forEach",
        "flatten": "flat",
        "flatMap": "flatMap",
    }
    functions = {name: over(method) for name, method in names.items()}
    functions |= dict.fromkeys(("assign", "extend"), _assign)
    functions |= dict.fromkeys(("merge", "mergeWith"), _merge)
    functions |= dict.fromkeys(("sortBy", "orderBy", "uniq", "uniqBy", "clone"), lambda call: call.value(0))
    functions |= dict.fromkeys(("flow", "pipe"), _flow)
    functions["cloneDeep"] = lambda call: _clone(call.value(0), call.evaluator)
    functions["isArray"] = _is_array
    functions["keys"] = lambda call: _entries(call, lambda key, value: key)
    functions["values"] = lambda call: _entries(call, lambda key, value: value)
    return NativeFunction(lambda call: call.value(0), _functions(functions), "_")


def _flow(call: Call) -> Value:
    """`flow(f, g)`: what gives `g(f(x))` for `x`."""
    functions = [each for value in call.values() for each in (value if isinstance(value, list) else [value])]

    def run(inner: Call) -> Value:
        return _applied(inner.value(0), functions, inner.evaluator)

    return NativeFunction(run, name="flow")


def _applied(value: Value, functions: list[Value], evaluator: "Evaluator") -> Value:
    for function in functions:
        value = evaluator.force(evaluator.call_values(function, value))
    return value


def _functional_module(evaluator: "Evaluator") -> Value:
    """`pipe(x, f, g)` of `fp-ts`."""
    pipe: Callable[[Call], Value] = lambda call: _applied(call.value(0), call.values()[1:], call.evaluator)  # noqa: E731
    return Obj(_functions({"pipe": pipe, "flow": _flow}))


def _url_module(evaluator: "Evaluator") -> Value:
    def to_path(call: Call) -> Value:
        value = call.value(0)
        text = value.props.get("pathname") if isinstance(value, Obj) else value
        return text.removeprefix("file://") if isinstance(text, str) else Unknown("fileURLToPath")

    def to_url(call: Call) -> Value:
        path = call.text(0)
        return Unknown("pathToFileURL") if path is None else Obj({"href": f"file://{path}", "pathname": path})

    return Obj(_functions({"fileURLToPath": to_path, "pathToFileURL": to_url}) | {"URL": evaluator.globals["URL"]})


def _desm_module(evaluator: "Evaluator") -> Value:
    """`desm`: paths beside a module."""

    def join(call: Call) -> Value:
        url = call.text(0)
        if url is None or not url.startswith("file://"):
            return Unknown("join")
        parts = [posixpath.dirname(url.removeprefix("file://")), *_paths(call)[1:]]
        return posixpath.normpath("/".join(parts))

    return Obj(_functions({"join": join, "dirname": join}))


def _folder_module(evaluator: "Evaluator") -> Value:
    """`require-dir` and its kind: the modules of a folder by their names. `require-directory` has a `visit`."""

    def load(call: Call) -> Value:
        given = call.value(0)
        options = call.options(0)
        name = next((each for key in ("dirname", "dir") if isinstance(each := options.get(key), str)), given)
        if isinstance(given, Obj) and "exports" in given.props:  # `require-directory` is given the module
            name = call.value(1) if isinstance(call.value(1), str) else "."
            options = call.options(2 if isinstance(call.value(1), str) else 1)
        if not isinstance(name, str) or not is_known(name):
            return Unknown("folder")
        base = posixpath.dirname(call.file)
        folder = inside(posixpath.normpath(posixpath.join(f"{ROOT}/{base}", name)))
        return Unknown("folder") if folder is None else modules(folder, call.file, options.get("visit"), 0)

    def modules(folder: str, importer: str, visit: Value, depth: int) -> Value:
        result = Obj()
        for name, is_folder in evaluator.resolver.listing(folder).items():
            path = posixpath.join(folder, name)
            stem, suffix = posixpath.splitext(name)
            if is_folder and depth < 6:
                result.props[name] = modules(path, importer, visit, depth + 1)
            elif suffix in SUFFIXES and path != importer and not name.endswith(".d.ts"):
                module = result.props[stem] = Lazy(
                    partial(evaluator.modules.imported, importer, f"{ROOT}/{path}"), stem
                )
                if visit is not UNDEFINED:
                    evaluator.call_values(visit, evaluator.force(module), f"{ROOT}/{path}", name)
        return result

    return NativeFunction(load, name="load")


def context(evaluator: "Evaluator", importer: str) -> NativeFunction:
    """`require.context(folder, deep, pattern)` of webpack: a function of the names of modules, with their `keys`."""

    def make(call: Call) -> Value:
        folder = call.text(0)
        at = inside(posixpath.normpath(posixpath.join(f"{ROOT}/{posixpath.dirname(importer)}", folder or "")))
        if folder is None or at is None:
            return Unknown("require.context")
        pattern = call.value(2)
        names = [f"./{path}" for path, is_folder in _listed(evaluator, at, call.value(1) is not False) if not is_folder]
        keys = [name for name in names if not isinstance(pattern, Regex) or _test(pattern, name) is True]
        load = NativeFunction(
            lambda inner: evaluator.modules.imported(importer, f"{ROOT}/{at}/{inner.text(0)}"), name="context"
        )
        load.props["keys"] = NativeFunction(lambda inner: list(keys), name="keys")
        return load

    return NativeFunction(make, name="require.context")


def _module_module(evaluator: "Evaluator") -> Value:
    def create_require(call: Call) -> Value:
        file = call.file
        return NativeFunction(lambda inner: evaluator.modules.imported(file, inner.text(0) or ""), name="require")

    return Obj(_functions({"createRequire": create_require}))


PACKAGES: dict[str, Callable[["Evaluator"], Value]] = {
    "path": _path_module,
    "fs": _fs_module,
    "fs/promises": _fs_module,
    "fs-extra": _fs_module,
    "url": _url_module,
    "module": _module_module,
    "desm": _desm_module,
    "auto-load": _folder_module,
    "require-all": _folder_module,
    "require-dir": _folder_module,
    "require-directory": _folder_module,
    "requireindex": _folder_module,
    "glob": _glob_module,
    "fast-glob": _glob_module,
    "globby": _glob_module,
    "tiny-glob": _glob_module,
    "es-toolkit": _lodash,
    "es-toolkit/compat": _lodash,
    "lodash": _lodash,
    "lodash-es": _lodash,
    "lodash/fp": _lodash,
    "ramda": _lodash,
    "fp-ts/function": _functional_module,
    "fp-ts/lib/function": _functional_module,
    "underscore": _lodash,
}
