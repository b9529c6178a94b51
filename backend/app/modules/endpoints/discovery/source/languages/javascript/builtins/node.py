"""Modules of Node that find files of the tree: `path`, `fs`, `url`, `module`."""

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.limits import MOST_ITEMS
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import ROOT, inside
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Call,
    Closure,
    NativeFunction,
    Obj,
    Unknown,
    Value,
    is_known,
    native_functions,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator


def paths_in(call: Call) -> list[str]:
    return [
        text_of(value.props.get("pathname", "")) if isinstance(value, Obj) else text_of(value)
        for value in call.values()
    ]


def working_folder(call: Call) -> Value:
    folder = call.evaluator.resolver.package_folder(call.file)
    return f"{ROOT}/{folder}".rstrip("/")


def _path_join(call: Call) -> Value:
    path = posixpath.normpath("/".join(part for part in paths_in(call) if part) or ".")
    return path.removeprefix("/") if path.startswith("//") else path  # Python keeps two slashes at the beginning


def _path_resolve(call: Call) -> Value:
    path = text_of(working_folder(call))
    for part in paths_in(call):
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


def path_module(evaluator: "Evaluator") -> Value:
    module = Obj(
        native_functions(
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


def _folder(call: Call, index: int = 0) -> str | None:
    value = call.value(index)
    path = value.props.get("pathname") if isinstance(value, Obj) else value
    if not isinstance(path, str) or not is_known(path):
        return None
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    if not path.startswith("/"):
        path = posixpath.join(text_of(working_folder(call)), path)
    return inside(posixpath.normpath(path))


def _readdir(call: Call) -> Value:
    folder = _folder(call)
    if folder is None:
        return Unknown("readdir")
    options = call.options(1)
    deep = options.get("recursive") is True
    entries = list(listed(call.evaluator, folder, deep))
    call.evaluator.budget.spend(len(entries) // 10)
    if options.get("withFileTypes") is True:
        return [_entry(posixpath.join(f"{ROOT}/{folder}", name), is_folder) for name, is_folder in entries]
    return [name for name, _ in entries]


def listed(evaluator: "Evaluator", folder: str, deep: bool) -> list[tuple[str, bool]]:
    result = []
    for name, is_folder in evaluator.resolver.listing(folder).items():
        result.append((name, is_folder))
        if deep and is_folder:
            below = listed(evaluator, posixpath.join(folder, name), True)
            result += [(f"{name}/{inner}", each) for inner, each in below]
    return result[:MOST_ITEMS]


def _entry(path: str, is_folder: bool) -> Value:
    folder, name = posixpath.split(path)
    return Obj(
        {
            "name": name,
            "path": folder,
            "parentPath": folder,
            **native_functions({"isDirectory": lambda call: is_folder, "isFile": lambda call: not is_folder}),
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


def with_callback(function: Callable[[Call], Value]) -> Callable[[Call], Value]:
    """Node's older manner: the result is given to the last argument."""

    def run(call: Call) -> Value:
        result = function(call)
        last = call.value(len(call) - 1)
        if isinstance(last, Closure):
            call.evaluator.call_values(last, None, result)
        return result

    return run


def fs_module(evaluator: "Evaluator") -> Value:
    read = native_functions(
        {
            "readdir": with_callback(_readdir),
            "readdirSync": _readdir,
            "stat": with_callback(_stat),
            "lstat": with_callback(_stat),
            "statSync": _stat,
            "lstatSync": _stat,
            "existsSync": _exists,
            "exists": _exists,
        }
    )
    return Obj({**read, "promises": Obj(read)}, parent=None)


def url_module(evaluator: "Evaluator") -> Value:
    def to_path(call: Call) -> Value:
        value = call.value(0)
        text = value.props.get("pathname") if isinstance(value, Obj) else value
        return text.removeprefix("file://") if isinstance(text, str) else Unknown("fileURLToPath")

    def to_url(call: Call) -> Value:
        path = call.text(0)
        return Unknown("pathToFileURL") if path is None else Obj({"href": f"file://{path}", "pathname": path})

    return Obj(
        native_functions({"fileURLToPath": to_path, "pathToFileURL": to_url}) | {"URL": evaluator.globals["URL"]}
    )


def module_module(evaluator: "Evaluator") -> Value:
    def create_require(call: Call) -> Value:
        file = call.file
        return NativeFunction(lambda inner: evaluator.modules.imported(file, inner.text(0) or ""), name="require")

    return Obj(native_functions({"createRequire": create_require}))
