"""The few functions of Python and of its library that paths, prefixes and lists of routers are made with."""

import posixpath
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any

from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    MISSING,
    Attribute,
    Bound,
    Call,
    Class,
    External,
    Function,
    Module,
    Scope,
    Splat,
    Text,
    Unknown,
    Value,
    name_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.python.evaluate import Evaluator

NAMES = frozenset(
    {
        "getattr",
        "setattr",
        "hasattr",
        "isinstance",
        "issubclass",
        "list",
        "tuple",
        "dict",
        "set",
        "str",
        "int",
        "len",
        "range",
        "enumerate",
        "zip",
        "sorted",
        "reversed",
        "map",
        "filter",
        "type",
        "vars",
        "globals",
        "locals",
        "dir",
        "super",
        "property",
        "classmethod",
        "staticmethod",
        "print",
        "open",
        "object",
        "__import__",
        "bool",
        "any",
        "all",
        "min",
        "max",
        "callable",
        "frozenset",
    }
)
PROPERTIES = frozenset({"builtins.property", "functools.cached_property", "django.utils.functional.cached_property"})
PLAIN_DECORATORS = PROPERTIES | {
    "builtins.classmethod",
    "builtins.staticmethod",
    "functools.lru_cache",
    "functools.cache",
    "contextlib.contextmanager",
    "contextlib.asynccontextmanager",
    "dataclasses.dataclass",
}
_IMPORTS = frozenset(
    {
        "importlib.import_module",
        "builtins.__import__",
        "werkzeug.utils.import_string",
        "django.utils.module_loading.import_string",
    }
)
_GIVE_THEIR_ARGUMENT = frozenset(
    {"builtins.list", "builtins.tuple", "builtins.set", "builtins.sorted", "builtins.reversed", "builtins.frozenset",
     "asyncio.run", "copy.copy", "copy.deepcopy", "os.path.abspath", "os.path.realpath", "os.fspath", "builtins.str",
     "os.path.normpath"}
)  # fmt: skip
_LONGEST_TEXT = 10_000
_MOST_ITEMS = 20_000


class PathText(str):
    """A `pathlib.Path`."""

    __slots__ = ()


class DefaultDict(dict[Any, Value]):
    """`collections.defaultdict`."""

    def __init__(self, factory: str) -> None:
        super().__init__()
        self.factory = factory

    def at(self, key: str | int) -> Value:
        if key not in self and len(self) < _MOST_ITEMS:
            self[key] = {} if self.factory == "builtins.dict" else []
        return self.get(key, Unknown("..."))


def mapping_of(value: Value) -> Value:
    """The dictionary that an object of a subclass of `dict` was made of; other values as they are."""
    if isinstance(value, Call) and isinstance(value.function, Class) and value.arguments:
        first = value.arguments[0]
        if isinstance(first, dict) and External("builtins.dict") in value.function.mro():
            return first
    return value


def label_of_model(model: Class) -> str:
    """Of the Django application that a model is in: what its `Meta` says, else the name of the folder."""
    meta = model.find("Meta")
    declared = meta.find("app_label") if isinstance(meta, Class) else None
    folder = model.module.path.rpartition("/models")[0].removesuffix("/models")  # `blog/models/models.py`
    return declared if isinstance(declared, str) else folder.rpartition("/")[2]


def is_model(made: Class) -> bool:
    """Whether it is a model of Django's with a table."""
    meta = made.scope.variables.get("Meta")
    if isinstance(meta, Class) and meta.scope.variables.get("abstract") is True:
        return False
    names = [base.name for base in made.mro() if isinstance(base, External)]
    return any(
        name == "django.db.models.Model" or (".models." in name and not name.startswith("django.db.models."))
        for name in names
    )


def as_items(value: Value) -> list[Value]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return [key for key in value if isinstance(key, str | int)]
    return [Splat(value)]


def concatenate(parts: list[Value]) -> Value:
    flat: list[str | Unknown] = []
    for part in parts:
        pieces = part.parts if isinstance(part, Text) else (_as_text(part),)
        for piece in pieces:
            if isinstance(piece, str) and flat and isinstance(flat[-1], str):
                flat[-1] = flat[-1] + piece
            elif piece != "":
                flat.append(piece)
    if sum(len(piece) for piece in flat if isinstance(piece, str)) > _LONGEST_TEXT or len(flat) > 100:
        return Unknown("a long text")
    if not flat:
        return ""
    return flat[0] if len(flat) == 1 and isinstance(flat[0], str) else Text(tuple(flat))


def _as_text(value: Value) -> str | Unknown:
    if isinstance(value, str | int | None):
        return str(value)
    return value if isinstance(value, Unknown) else Unknown(name_of(value))


def add(left: Value, right: Value) -> Value:
    if isinstance(left, list | tuple) or isinstance(right, list | tuple):
        joined = as_items(left) + as_items(right)
        return joined if len(joined) <= _MOST_ITEMS else joined[:_MOST_ITEMS]
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if isinstance(left, str | Text) or isinstance(right, str | Text):
        return concatenate([left, right])
    return Unknown(f"{name_of(left)} + {name_of(right)}")


def operate(operator: str, left: Value, right: Value) -> Value:
    if operator == "+":
        return add(left, right)
    if operator == "%" and isinstance(left, str):
        if isinstance(right, dict):
            return _percent(left, right)
        return _percent(left, list(right) if isinstance(right, tuple) else [right])
    if operator == "/" and isinstance(left, PathText) and isinstance(right, str):
        return PathText(posixpath.join(left, right))
    if operator == "|" and isinstance(left, dict) and isinstance(right, dict):
        return {**left, **right}
    if operator == "|" and isinstance(left, list) and isinstance(right, list):  # sets are lists here
        return add(left, [item for item in right if item not in left])
    if operator == "*" and isinstance(left, str) and isinstance(right, int) and len(left) * right < _LONGEST_TEXT:
        return left * right
    return Unknown(f"{name_of(left)} {operator} {name_of(right)}")


def _percent(pattern: str, given: dict[Any, Value] | list[Value]) -> Value:
    pieces: list[Value] = []
    rest = pattern
    while "%" in rest:
        before, _, rest = rest.partition("%")
        pieces.append(before)
        if rest.startswith("%"):
            pieces.append("%")
        elif rest.startswith("(") and isinstance(given, dict):
            name, _, rest = rest[1:].partition(")")
            pieces.append(given.get(name, Unknown(name)))
        else:
            pieces.append(given.pop(0) if isinstance(given, list) and given else Unknown("..."))
        rest = rest[1:]
    return concatenate([*pieces, rest])


def compare(operator: str, left: Value, right: Value) -> Value:
    simple = (str, int, type(None))
    if operator in ("==", "is", "!=", "is not") and isinstance(left, simple) and isinstance(right, simple):
        return (left == right) is (operator in ("==", "is"))
    types = [each.name for each in (left, right) if isinstance(each, External) and each.name.startswith("builtins.")]
    if operator in ("==", "is", "!=", "is not") and len(types) == 2:
        return (left == right) is (operator in ("==", "is"))
    if isinstance(left, Call) and name_of(left.function) in ("os.environ.get", "os.getenv"):
        return Unknown(f"{name_of(left)} {operator} {name_of(right)}")
    if right is None and isinstance(left, Call | Class | Module | Function | list | dict | tuple):
        return operator in ("!=", "is not")
    if operator in ("in", "not in") and isinstance(left, str) and isinstance(right, str):
        return (left in right) is (operator == "in")
    known = isinstance(right, list | tuple | dict) and all(isinstance(item, str | int) for item in right)
    if (
        operator in ("in", "not in")
        and isinstance(left, str | int)
        and isinstance(right, list | tuple | dict)
        and known
    ):
        return (left in right) is (operator == "in")
    return Unknown(f"{name_of(left)} {operator} {name_of(right)}")


def declared_default(value: Any) -> Any:
    """Of a class's attribute: `Field("/api")` of a settings class stands for what it has as default."""
    if isinstance(value, Call) and isinstance(value.function, External):
        name = value.function.name.rpartition(".")[2]
        if name.endswith("Field") or name in ("field", "ib", "attrib"):
            default = value.argument(0 if name == "Field" else -1, "default", MISSING)  # type: ignore[arg-type]
            return default if isinstance(default, str | int | list | dict) else value
    return value


def configured(code: "Evaluator", config: Value, key: str) -> Any:
    """`app.config[key]`, as `from_object` and its like filled it; `MISSING` when they did not."""
    if not (isinstance(config, Attribute) and config.name == "config" and isinstance(config.value, Call)):
        return MISSING
    found: Any = config.value.attributes.get(f"config[{key}]", MISSING)
    # A function that takes an application takes one of those there are.
    filled = [made for made in config.value.calls if made in code.configurations] or code.configurations
    for made in filled:
        function = made.function
        if not isinstance(function, Attribute) or found is not MISSING:
            continue
        given = made.arguments[0] if made.arguments else None
        if function.name == "from_object" and given is not None:
            source = _import(code, [given], made.module) if isinstance(given, str) else given
            value = code.attribute(source, key, made.module, 0)
            found = MISSING if isinstance(value, Unknown | Attribute | External) else value
        elif function.name in ("from_mapping", "update"):
            given = given if isinstance(given, dict) else {}
            found = made.keywords.get(key, given.get(key, MISSING))
    return found


def truth_of_setting(code: "Evaluator", value: External) -> bool | None:
    """Of `settings.NAME` of Django: as the settings have it that its programs take, else when all settings agree. Which
    of them are for debugging cannot be told then."""
    prefix, _, name = value.name.rpartition(".")
    if prefix != "django.conf.settings":
        return None
    if (
        code.django.chosen_settings is not None
        and (truth := code.truth(code.member(code.django.chosen_settings, name))) is not None
    ):
        return truth
    found = {
        code.truth(declared)
        for module in list(code.django.settings)
        if not isinstance(declared := code.member(module, name), Unknown)
    }
    return found.pop() if len(found) == 1 and name != "DEBUG" else None


def default_of(function: Value, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Of a setting that is looked up: `os.getenv("PREFIX", "/api")`, `config("PREFIX", default="/api")`."""
    name = name_of(function).lower()
    last = name.rpartition(".")[2]
    if not ("env" in name or "conf" in name or "setting" in name or last == "get"):
        return None
    if isinstance(keywords.get("default"), str | int | list):
        return keywords["default"]
    if len(arguments) == 2 and isinstance(arguments[0], str) and isinstance(arguments[1], str | int):
        return arguments[1]
    return None


def call(
    code: "Evaluator",
    function: External | Attribute | Call,
    arguments: list[Value],
    keywords: dict[str, Value],
    module: Module,
    scope: Scope | None,
) -> Any:
    """What a call gives, or `MISSING`."""
    if isinstance(function, External):
        if known := _FUNCTIONS.get(function.name):
            return known(code, arguments, keywords, module, scope)
        if function.name in _IMPORTS and arguments:
            return _import(code, arguments, module)
        if function.name in _GIVE_THEIR_ARGUMENT and arguments:
            return list(arguments[0]) if isinstance(arguments[0], list | tuple) else arguments[0]
        if function.name.startswith("builtins."):
            return Unknown(f"{name_of(function)}()".removeprefix("builtins."))
        default = default_of(function, arguments, keywords)
        return default if default is not None else MISSING
    if isinstance(function, Attribute):
        held = function.value
        if isinstance(held, PathText):
            return _path_method(code, held, function.name, arguments)
        if isinstance(held, str | Text):
            return _text_method(held, function.name, arguments, keywords)
        if isinstance(held, list):
            return _list_method(held, function.name, arguments)
        if isinstance(held, dict):
            return _dict_method(held, function.name, arguments)
        if function.name == "get_models" and isinstance(held, Call) and isinstance(held.function, Class):
            return code.django.models_of(posixpath.dirname(held.function.module.path))
        if function.name in ("get", "setdefault") and arguments and isinstance(arguments[0], str):
            value = configured(code, held, arguments[0])
            if value is not MISSING:
                return value
        if isinstance(held, Attribute | Call) and not (isinstance(held, Call) and function.name == "get"):
            default = default_of(function, arguments, keywords)
            return default if default is not None else MISSING
    return MISSING


def _import(code: "Evaluator", arguments: list[Value], module: Module) -> Value:
    dotted = arguments[0]
    if not isinstance(dotted, str):
        return Unknown(f"a module named {name_of(dotted)}")
    name = dotted.lstrip(".")
    level = len(dotted) - len(name)
    if level and len(arguments) > 1 and isinstance(arguments[1], str):
        package = code.import_module(arguments[1], module)
        if isinstance(package, Module):
            module, level = package, level
    name, _, member = name.partition(":")
    found = code.import_module(name, module, level)
    if isinstance(found, External) and "." in name and not member:
        name, _, member = name.rpartition(".")
        found = code.import_module(name, module, level)
    if isinstance(found, Module):
        code.execute(found)
    return code.attribute(found, member, module, 0) if member else found


def _getattr(code: "Evaluator", arguments: list[Value], _k: object, module: Module, _s: object) -> Value:
    if len(arguments) < 2 or not isinstance(arguments[1], str):
        return Unknown("getattr()")
    value = code.attribute(arguments[0], arguments[1], module, 0)
    return arguments[2] if len(arguments) > 2 and isinstance(value, Unknown | Attribute) else value


def _setattr(code: "Evaluator", arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    if len(arguments) == 3 and isinstance(arguments[0], Call) and isinstance(arguments[1], str):
        arguments[0].attributes[arguments[1]] = arguments[2]
    return None


def _hasattr(code: "Evaluator", arguments: list[Value], _k: object, module: Module, _s: object) -> Value:
    match arguments:
        case [Module() as held, str() as name]:
            return not isinstance(code.member(held, name), Unknown)
        case [Call(function=Class() as made) as held, str() as name]:
            if name in held.attributes or made.find(name) is not MISSING:
                return True
            if "django.apps.AppConfig" in code.external_bases(made):
                return False
        case [Call(function=External("django.apps.AppConfig")), str() as name]:
            return False
    return Unknown("hasattr()")


def _dict(_c: object, arguments: list[Value], keywords: dict[str, Value], _m: object, _s: object) -> Value:
    made = dict(arguments[0]) if arguments and isinstance(arguments[0], dict) else {}
    return {**made, **keywords}


def _defaultdict(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    factory = name_of(arguments[0]) if arguments else ""
    return DefaultDict(factory) if factory in ("builtins.dict", "builtins.list", "builtins.set") else {}


def _issubclass(code: "Evaluator", arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    """A base from outside may come from another one from outside, but not from a class of the tree."""
    made, base = arguments if len(arguments) == 2 else (None, None)
    if isinstance(made, Class) and isinstance(base, Class | External) and base in made.mro():
        return True
    if isinstance(made, Class) and isinstance(base, Class):
        return Unknown("issubclass()") if any(not isinstance(b, Class | External) for b in made.mro()) else False
    return Unknown("issubclass()")


def _type(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    match arguments:
        case [str()]:
            return External("builtins.str")
        case [Class()]:
            return External("builtins.type")
        case [Call(function=Class() as made)]:
            return made
    return Unknown("type()")


def _enumerate(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return [(number, item) for number, item in enumerate(as_items(arguments[0] if arguments else []))]


def _zip(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return list(zip(*map(as_items, arguments), strict=False))


def _chain(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return list(chain.from_iterable(map(as_items, arguments)))


def _cast(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return arguments[-1] if arguments else None


def _globals(code: "Evaluator", _a: object, _k: object, module: Module, scope: Scope | None) -> Value:
    code.execute(module)
    return module.scope.variables


def _dir(code: "Evaluator", arguments: list[Value], _k: object, _m: object, scope: Scope | None) -> Value:
    if arguments and isinstance(arguments[0], Module):
        code.execute(arguments[0])
        return list(arguments[0].scope.variables)
    return Unknown("dir()")


def _join(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    return posixpath.normpath(posixpath.join(*texts)) if texts and len(texts) == len(arguments) else Unknown("a path")


def _dirname(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return posixpath.dirname(arguments[0]) if arguments and isinstance(arguments[0], str) else Unknown("a path")


def _basename(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return posixpath.basename(arguments[0]) if arguments and isinstance(arguments[0], str) else Unknown("a path")


def _splitext(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return posixpath.splitext(arguments[0]) if arguments and isinstance(arguments[0], str) else Unknown("a path")


def _path(_c: object, arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    return PathText(posixpath.join(*texts)) if texts and len(texts) == len(arguments) else Unknown("a path")


def _listdir(code: "Evaluator", arguments: list[Value], _k: object, _m: object, _s: object) -> Value:
    return _children(code, arguments[0]) if arguments else Unknown("os.listdir()")


def _children(code: "Evaluator", folder: Value) -> Value:
    names = code.names.children.get(folder.strip("/")) if isinstance(folder, str) else None
    return list[Value](sorted(names)) if names is not None else Unknown("a folder's files")


def _iter_modules(
    code: "Evaluator", arguments: list[Value], keywords: dict[str, Value], _m: object, _s: object
) -> Value:
    """As tuples `(finder, name, is_package)`; of a module found by walking too, since a walk imports packages first."""
    folders = keywords.get("path", arguments[0] if arguments else None)
    prefix = keywords.get("prefix", arguments[1] if len(arguments) > 1 else "")
    found: list[Value] = []
    for folder in folders if isinstance(folders, list | tuple) else [folders]:
        names = _children(code, folder)
        for name in names if isinstance(names, list) else []:
            if isinstance(name, str) and name != "__init__.py":
                is_package = not name.endswith(".py")
                found.append((Unknown("finder"), concatenate([prefix, name.removesuffix(".py")]), is_package))
    return found


def _app_configs(code: "Evaluator", _a: object, _k: object, _m: object, _s: object) -> Value:
    return code.django.app_configs()


def _find_spec(code: "Evaluator", arguments: list[Value], _k: object, module: Module, _s: object) -> Value:
    if not arguments or not isinstance(arguments[0], str):
        return Unknown("find_spec()")
    if isinstance(code.import_module(arguments[0], module), Module):
        return True
    package = arguments[0].partition(".")[0]
    return None if isinstance(code.import_module(package, module), Module) else Unknown("find_spec()")


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.hasattr": _hasattr,
    "builtins.dict": _dict,
    "builtins.type": _type,
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "builtins.globals": _globals,
    "builtins.dir": _dir,
    "builtins.issubclass": _issubclass,
    "django.apps.apps.get_app_configs": _app_configs,
    "importlib.util.find_spec": _find_spec,
    "collections.OrderedDict": _dict,
    "collections.defaultdict": _defaultdict,
    "itertools.chain": _chain,
    "typing.cast": _cast,
    "os.path.join": _join,
    "os.path.dirname": _dirname,
    "os.path.basename": _basename,
    "os.path.splitext": _splitext,
    "os.listdir": _listdir,
    "pathlib.Path": _path,
    "pkgutil.iter_modules": _iter_modules,
    "pkgutil.walk_packages": _iter_modules,
    "urllib.parse.urljoin": lambda c, arguments, k, m, s: concatenate(arguments),
}


def path_attribute(path: PathText, name: str) -> Value:
    match name:
        case "parent":
            return PathText(posixpath.dirname(path))
        case "name":
            return posixpath.basename(path)
        case "stem":
            return posixpath.splitext(posixpath.basename(path))[0]
        case "suffix":
            return posixpath.splitext(path)[1]
    return Attribute(path, name)


def _path_method(code: "Evaluator", path: PathText, name: str, arguments: list[Value]) -> Any:
    match name:
        case "resolve" | "absolute" | "expanduser":
            return path
        case "glob" | "rglob" | "iterdir":
            wanted = arguments[0] if arguments and isinstance(arguments[0], str) else "*"
            names = _children(code, str(path))
            if not isinstance(names, list):
                return names
            suffix = wanted.rpartition("*")[2]
            return [PathText(f"{path}/{child}") for child in names if isinstance(child, str) and child.endswith(suffix)]
        case "joinpath":
            return _path(None, [path, *arguments], None, None, None)
    return Unknown(f"path.{name}()")


def _text_method(text: str | Text, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Any:
    if name == "format" and isinstance(text, str):
        return _format(text, arguments, keywords)
    if name == "join" and isinstance(text, str) and arguments and isinstance(arguments[0], list | tuple):
        pieces: list[Value] = []
        for number, item in enumerate(arguments[0]):
            pieces += [text, item] if number else [item]
        return concatenate(pieces)
    if isinstance(text, Text):
        # `prefix.rstrip("/")` of a text whose ends are known.
        ends = {"rstrip": -1, "lstrip": 0, "removesuffix": -1, "removeprefix": 0}.get(name)
        if ends is None:
            return text if name in ("strip", "lower", "replace") else Unknown(f"{name_of(text)}.{name}()")
        parts = list(text.parts)
        end = parts[ends]
        if isinstance(end, str):
            parts[ends] = _text_method(end, name, arguments, {})
        return concatenate(list(parts))
    if name in _TEXT_METHODS and all(isinstance(argument, str | int | tuple | None) for argument in arguments):
        try:
            result = getattr(str, name)(text, *arguments)
        except (TypeError, ValueError):
            return Unknown(f"text.{name}()")
        return result if not isinstance(result, str) or len(result) < _LONGEST_TEXT else Unknown("a long text")
    return Unknown(f"text.{name}()")


_TEXT_METHODS = frozenset(
    {
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "capitalize",
        "replace",
        "split",
        "rsplit",
        "startswith",
        "endswith",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
        "isidentifier",
        "casefold",
    }
)


def _format(pattern: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    pieces: list[Value] = []
    rest = pattern
    position = 0
    while rest:
        before, brace, rest = rest.partition("{")
        pieces.append(before.replace("}}", "}"))
        if not brace:
            break
        if rest.startswith("{"):
            pieces.append("{")
            rest = rest[1:]
            continue
        field, _, rest = rest.partition("}")
        name = field.partition(":")[0].partition("!")[0]
        if not name or name.isdigit():
            number = int(name) if name else position
            position += 1
            pieces.append(arguments[number] if number < len(arguments) else Unknown(name))
        else:
            pieces.append(keywords.get(name, Unknown(name)))
    return concatenate(pieces)


def _list_method(items: list[Value], name: str, arguments: list[Value]) -> Any:
    if len(items) > _MOST_ITEMS:
        return None
    match name:
        case "append" if arguments:
            items.append(arguments[0])
        case "extend" if arguments:
            items.extend(as_items(arguments[0]))
        case "insert" if len(arguments) > 1:
            items.insert(arguments[0] if isinstance(arguments[0], int) else len(items), arguments[1])
        case "copy":
            return list(items)
        case _:
            return Unknown(f"list.{name}()")
    return None


def _dict_method(held: dict[Any, Value], name: str, arguments: list[Value]) -> Any:
    match name:
        case "get" | "pop" | "setdefault" if arguments and isinstance(arguments[0], str | int):
            default = arguments[1] if len(arguments) > 1 else None
            return held.get(arguments[0], default)
        case "items":
            return [(key, value) for key, value in held.items() if isinstance(key, str | int)]
        case "values":
            return list(held.values())
        case "keys":
            return list(held)
        case "update":
            if arguments and isinstance(arguments[0], dict):
                held.update(arguments[0])
            return None
        case "copy":
            return dict(held)
    return Unknown(f"dict.{name}()")


def called_on(function: Value) -> Value:
    """`functools.partial(f, ...)` and bound methods to the function itself."""
    while isinstance(function, Call) and name_of(function.function) == "functools.partial" and function.arguments:
        function = function.arguments[0]
    return function.function if isinstance(function, Bound) else function
