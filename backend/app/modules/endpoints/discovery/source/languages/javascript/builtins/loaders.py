"""Packages that load or list many files of a program: `glob`, `require-dir` and their kind; `require.context`."""

import posixpath
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import re2

from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.node import (
    listed,
    paths_in,
    with_callback,
    working_folder,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.strings import test
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import ROOT, SUFFIXES, inside
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    Call,
    Lazy,
    NativeFunction,
    Obj,
    Regex,
    Unknown,
    Value,
    is_known,
    native_functions,
    text_of,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

_WILDCARD = re.compile(r"([@+?*!])\(([^()]*)\)|\[([!^])?([\w.-]+)\]|\*+|\?")


def glob(call: Call) -> Value:
    """The files that patterns mean; those that begin with `!` are passed over."""
    patterns = call.value(0)
    options = call.options(1)
    cwd = options.get("cwd")
    base = cwd if isinstance(cwd, str) else text_of(working_folder(call))
    absolute = options.get("absolute") is True
    found: dict[str, None] = {}
    texts = [
        pattern for pattern in (patterns if isinstance(patterns, list) else [patterns]) if isinstance(pattern, str)
    ]
    if not texts or not is_known("".join([base, *texts])):
        return Unknown("glob")
    paths = sorted(call.evaluator.resolver.paths)
    for text in texts:
        if text.startswith("!"):
            continue
        full = posixpath.normpath(posixpath.join(base, text))
        for match in expand(full):
            call.evaluator.budget.spend(len(paths) // 100)
            pattern = _compiled(_glob_pattern(match))
            for path in paths:
                if pattern is not None and pattern.fullmatch(f"{ROOT}/{path}"):
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
    """Of RE2. A script is meant whether it is written in JavaScript or in TypeScript."""
    result = []
    for part in pattern.split("/"):
        if part == "**":
            result.append("(?:[^/]+/)*")
            continue
        stem, suffix = posixpath.splitext(part)
        is_script = suffix in (".js", ".ts")
        result.append(_glob_part(stem if is_script else part) + (r"\.(?:[jt]sx?|[cm][jt]s)/" if is_script else "/"))
    return "".join(result).removesuffix("/")


def _compiled(pattern: str) -> Any:
    """None: it is no pattern, as `[z-a]`."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


def _glob_part(part: str) -> str:
    result = []
    done = 0
    for match in _WILDCARD.finditer(part):
        result.append(re.escape(part[done : match.start()]))
        done = match.end()
        quantifier, choice, negation, characters = match.groups()
        if characters:
            result.append(f"[{'^' if negation else ''}{re.escape(characters).replace(f'{chr(92)}-', '-')}]")
        elif quantifier == "!":
            result.append("[^/]*")
        elif quantifier:
            choices = "|".join(map(re.escape, choice.split("|")))
            result.append(f"(?:{choices}){quantifier.strip('@')}")
        else:
            result.append("[^/]" if match[0] == "?" else "[^/]*")
    return "".join([*result, re.escape(part[done:])])


def glob_module(evaluator: "Evaluator") -> Value:
    module = NativeFunction(with_callback(glob), name="glob")
    module.props |= dict.fromkeys(("sync", "globSync", "glob", "globby", "globbySync", "default"), module)
    return module


def folder_module(evaluator: "Evaluator") -> Value:
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
        names = [f"./{path}" for path, is_folder in listed(evaluator, at, call.value(1) is not False) if not is_folder]
        keys = [name for name in names if not isinstance(pattern, Regex) or test(pattern, name) is True]
        load = NativeFunction(
            lambda inner: evaluator.modules.imported(importer, f"{ROOT}/{at}/{inner.text(0)}"), name="context"
        )
        load.props["keys"] = NativeFunction(lambda inner: list(keys), name="keys")
        return load

    return NativeFunction(make, name="require.context")


def desm_module(evaluator: "Evaluator") -> Value:
    """`desm`: paths beside a module."""

    def join(call: Call) -> Value:
        url = call.text(0)
        if url is None or not url.startswith("file://"):
            return Unknown("join")
        parts = [posixpath.dirname(url.removeprefix("file://")), *paths_in(call)[1:]]
        return posixpath.normpath("/".join(parts))

    return Obj(native_functions({"join": join, "dirname": join}))
