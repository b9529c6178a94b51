"""The global object."""

import posixpath
from itertools import count
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.arrays import array_from, is_array
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.node import working_folder
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.objects import (
    assign,
    define_property,
    entries,
    from_entries,
    new_map,
    new_set,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.promises import promise
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.reflect import Reflect
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.strings import new_regexp
from backend.app.modules.endpoints.discovery.source.languages.javascript.operators import truth
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Call,
    NativeFunction,
    Obj,
    Unknown,
    Value,
    native_functions,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def globals_of(evaluator: "Evaluator") -> dict[str, Value]:
    first = lambda call: call.value(0)  # noqa: E731
    object_functions = native_functions(
        {
            "assign": assign,
            "keys": lambda call: entries(call, lambda key, value: key),
            "getOwnPropertyNames": lambda call: entries(call, lambda key, value: key),
            "values": lambda call: entries(call, lambda key, value: value),
            "entries": lambda call: entries(call, lambda key, value: [key, value]),
            "fromEntries": from_entries,
            "freeze": first,
            "seal": first,
            "create": lambda call: Obj(parent=value if isinstance(value := call.value(0), Obj) else None),
            "setPrototypeOf": first,
            "defineProperty": define_property,
        }
    )
    settled = lambda call: call.value(0)  # noqa: E731
    symbols = count()
    result: dict[str, Value] = {
        "Object": NativeFunction(first, object_functions, "Object"),
        "Array": NativeFunction(
            lambda call: call.values(),
            native_functions(
                {
                    "isArray": is_array,
                    "from": array_from,
                    "of": lambda call: call.values(),
                }
            ),
            "Array",
        ),
        "Promise": NativeFunction(
            promise,
            native_functions(dict.fromkeys(("all", "allSettled", "resolve", "race", "any"), settled)),
            "Promise",
        ),
        "Map": NativeFunction(new_map, name="Map"),
        "WeakMap": NativeFunction(new_map, name="WeakMap"),
        "Reflect": Reflect(),
        "Set": NativeFunction(new_set, name="Set"),
        "WeakSet": NativeFunction(new_set, name="WeakSet"),
        "String": NativeFunction(lambda call: text_of(call.value(0)), name="String"),
        "Number": NativeFunction(lambda call: _number(call.value(0)), name="Number"),
        "parseInt": NativeFunction(lambda call: _number(call.value(0)), name="parseInt"),
        "Boolean": NativeFunction(lambda call: _boolean(call.value(0)), name="Boolean"),
        "encodeURIComponent": NativeFunction(first, name="encodeURIComponent"),
        "URL": NativeFunction(_url, name="URL"),
        "RegExp": NativeFunction(lambda call: new_regexp(call), name="RegExp"),
        "process": Obj(
            {
                "env": Unknown("process.env"),
                "cwd": NativeFunction(working_folder, name="cwd"),
                "argv": Unknown("process.argv"),
                "platform": "linux",
                # signals and the end are nothing that happens when a program starts
                **native_functions(dict.fromkeys(("on", "once"), lambda call: Unknown("process"))),
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


def _url(call: Call) -> Value:
    text, base = call.value(0), call.value(1)
    if isinstance(text, str) and isinstance(base, str) and base.startswith("file://"):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(base.removeprefix("file://")), text))
        return Obj({"pathname": path, "href": f"file://{path}"})
    return Unknown("URL")
