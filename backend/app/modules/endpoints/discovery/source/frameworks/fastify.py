"""Fastify: routes of plugins, registered under prefixes or found in folders by `@fastify/autoload`."""

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from backend.app.engine.spec.model import MediaType, Parameter, ParameterLocation, RequestBody
from backend.app.modules.endpoints.discovery.source import Framework
from backend.app.modules.endpoints.discovery.source.frameworks import frameworks
from backend.app.modules.endpoints.discovery.source.languages.javascript.builtins.strings import compiled
from backend.app.modules.endpoints.discovery.source.languages.javascript.code import Code, adopt, package, starter
from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator
from backend.app.modules.endpoints.discovery.source.languages.javascript.resolve import ROOT, inside
from backend.app.modules.endpoints.discovery.source.languages.javascript.routing import (
    VERBS,
    Declared,
    Mount,
    Router,
    auth_of,
    handler_of,
    join,
    needs_auth,
    paths_of,
    routes_of,
)
from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    UNDEFINED,
    UNKNOWN_METHOD,
    BoundMethod,
    Call,
    Closure,
    Native,
    NativeFunction,
    Obj,
    Options,
    Regex,
    Unknown,
    Value,
    is_known,
    text_of,
    unknown_parts,
    value_label,
)
from backend.app.modules.endpoints.discovery.source.model import Route

_SCRIPT = re.compile(r"^(?!.*\.d\.[cm]?ts$).*\.[cm]?[jt]s$")
_INDEX = re.compile(r"^index(?:\.ts|\.js|\.cjs|\.mjs|\.cts|\.mts)$")
_TESTS = re.compile(r"\.(test|spec)\.[cm]?[jt]s$")
_HOOKS_FILE = re.compile(r"^[_.]?autohooks\.")
_HOOKS = ("onRequest", "preHandler", "preValidation", "preParsing")
_LONGEST_SCRIPT = 1_000
_START = re.compile(r"\bfastify\s+(?:start|generate)?\b[^&|;]*?([\w./-]+\.[cm]?[jt]s)")


class Plugin(Native):
    """`fp(plugin)`: a plugin without an instance of its own, for which a prefix has no effect."""

    def __init__(self, inner: Value) -> None:
        self.inner = inner

    def invoke(self, call: Call) -> Value:
        return call.evaluator.call(self.inner, call)


class Autoload(Native):
    """`@fastify/autoload`."""


class FastifyInstance(Router):
    framework = "fastify"

    def place(self, prefix: str, path: str) -> str:
        """Nothing is put between the prefix and a path: `*` below `/api` is `/api*`."""
        return prefix + path if prefix and path[:1] not in ("", "/") and is_known(path[0]) else join(prefix, path)

    def get(self, name: str, evaluator: Evaluator) -> Value:
        if name == "prefix":
            return self.whole_prefix
        return super().get(name, evaluator)

    whole_prefix = ""

    def call(self, name: str, call: Call) -> Value:
        method = VERBS.get(name)
        if name == UNKNOWN_METHOD and len(call) > 1 and isinstance(call.value(0), str):
            method = "*"
        if method is not None:
            if len(call) >= 2 or (len(call) == 1 and paths_of(call.value(0), call.evaluator)):
                self.shorthand(method, call)
            return self
        match name:
            case "route":
                self.route(call.value(0), call)
            case "register":
                self.register(call)
            case "addHook":
                hook = call.value(0)
                if hook in _HOOKS and auth_of(call, 1, len(call)):
                    self.guarded = True
            case "decorate":
                key = call.value(0)
                if isinstance(key, str):
                    self.props[key] = call.raw(1)
            case "withTypeProvider" | "setValidatorCompiler" | "setSerializerCompiler":
                return self
            case "ready" | "listen" | "inject" | "close":
                call.run_callbacks()
                return self
            case "after" | "then":
                function = call.value(0)
                if isinstance(function, Closure):
                    call.evaluator.call_back(function)
                return self
            case _:
                if name in self.props:
                    return call.evaluator.call(self.props[name], call)
                return super().call(name, call)
        return self

    def shorthand(self, method: str, call: Call) -> None:
        options = (
            call.options(1) if len(call) > 2 or isinstance(call.value(1), Obj) else Options(call.evaluator, UNDEFINED)
        )
        handler = (
            handler_of(call)
            if len(call) > 2 or not isinstance(call.value(1), Obj)
            else value_label(options.get("handler"))
        )
        for text in paths_of(call.value(0), call.evaluator) or [text_of(call.value(0))]:
            self.add_route(method, text, options, handler, call)

    def route(self, value: Value, call: Call) -> None:
        options = Options(call.evaluator, value)
        methods = options.get("method")
        url = options.get("url")
        url = options.get("path") if url is UNDEFINED else url
        if url is UNDEFINED:
            return
        for method in methods if isinstance(methods, list) else [methods]:
            name = call.evaluator.force(method)
            self.add_route(
                name.upper() if isinstance(name, str) else "*",
                text_of(url),
                options,
                value_label(options.get("handler")),
                call,
            )

    def add_route(self, method: str, path: str, options: Options, handler: str, call: Call) -> None:
        if not is_known(method):
            return
        auth = self.guarded
        for name in _HOOKS:
            hooks = options.get(name)
            if any(needs_auth(value_label(hook)) for hook in (hooks if isinstance(hooks, list) else [hooks])):
                auth = True
        schema = Options(options.evaluator, options.get("schema"))
        tags = schema.get("tags")
        self.add(
            Declared(
                method,
                path,
                call.file,
                call.line,
                handler,
                auth,
                tuple(_parameters(schema)),
                _body(schema),
                tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
                schema.get("deprecated") is True,
            )
        )

    def register(self, call: Call) -> None:
        plugin = _plugin(call.value(0), call.evaluator)
        options = call.options(1)
        if isinstance(plugin, Autoload):
            for path, prefix, own in _autoloaded(options, call):
                loaded = _plugin(call.evaluator.modules.imported("", f"{ROOT}/{path}"), call.evaluator)
                self.run(loaded, prefix, own, call)
            return
        self.run(plugin, options.text("prefix") or "", options.value, call)

    def run(self, plugin: Value, prefix: str, options: Value, call: Call) -> None:
        """Calls a plugin with an instance of its own, below this one."""
        if isinstance(plugin, Plugin):
            child, plugin = self, plugin.inner
        elif isinstance(plugin, (Closure, NativeFunction, BoundMethod, Unknown)):
            child = FastifyInstance(call.evaluator)
            child.props = dict(self.props)
            child.guarded = self.guarded
            child.whole_prefix = self.join(self.whole_prefix, prefix) if prefix else self.whole_prefix
            self.add(Mount(prefix, child))
        else:
            return
        if isinstance(plugin, Closure):
            given = Obj() if options is UNDEFINED else options
            call.evaluator.call_values(plugin, child, given, NativeFunction(lambda inner: UNDEFINED, name="done"))


def _plugin(value: Value, evaluator: Evaluator) -> Value:
    """A plugin may be given as a module, or as a promise of one."""
    if isinstance(value, Obj):
        default = evaluator.member(value, "default")
        for each in (default, evaluator.member(value, "plugin")):
            if isinstance(each, (Closure, Plugin, Autoload)):
                return each
    return value


def _autoloaded(options: Options, call: Call) -> Iterator[tuple[str, str, Value]]:
    """`(file, prefix, options)` of what the plugin would load from a folder."""
    folder = options.get("dir")
    if isinstance(folder, Obj):
        folder = folder.props.get("pathname")
    root = inside(posixpath.normpath(folder)) if isinstance(folder, str) else None
    if root is None:
        return
    given = options.get("options")
    base = Options(call.evaluator, given).text("prefix") or ""
    depth = options.get("maxDepth")
    listing = call.evaluator.resolver.listing

    def walk(at: str, prefix: str, level: int) -> Iterator[tuple[str, str]]:
        entries = listing(at)
        index = next(
            (
                name
                for name, is_folder in entries.items()
                if not is_folder and _matches(options, "indexPattern", name, _INDEX)
            ),
            "",
        )
        if index:
            yield posixpath.join(at, index), prefix
        for name, is_folder in entries.items():
            path = posixpath.join(at, name)
            if options.has("ignorePattern") and _matches(
                options, "ignorePattern", f"/{posixpath.relpath(path, root)}", None
            ):
                continue
            if options.has("ignoreFilter") and _filtered(options, "ignoreFilter", path, root, call):
                continue
            if is_folder:
                if isinstance(depth, int) and level >= depth:
                    continue
                named = options.get("dirNameRoutePrefix")
                part = "" if named is False else name
                if isinstance(named, Closure):
                    part = text_of(call.evaluator.call_values(named, posixpath.dirname(f"{ROOT}/{path}"), name))
                    part = "" if part == "false" else part
                if options.get("routeParams") is True:
                    part = re.sub(r"^_", ":", part) if not part.startswith("__") else ":" + part[2:]
                yield from walk(path, f"{prefix}/{part}" if part else prefix, level + 1)
            elif index or not _SCRIPT.match(name) or _TESTS.search(name):
                continue
            elif not _HOOKS_FILE.match(name) and (
                not options.has("matchFilter") or _filtered(options, "matchFilter", path, root, call)
            ):
                yield path, prefix

    for path, prefix in walk(root, "", 0):
        module = call.evaluator.modules.load(path)
        own = "" if module is None else _own_prefix(module.exports, module.holder.props["exports"], call.evaluator)
        if own is None:
            continue
        whole = own[1:] if own.startswith("!") else join(prefix, own) if own else prefix
        yield path, join(base, whole) if base and whole else base or whole, given


def _own_prefix(exports: Value, common: Value, evaluator: Evaluator) -> str | None:
    """`autoPrefix`, or `prefixOverride` after a `!`; None: the module is not to be loaded."""
    for value in (exports, common, evaluator.member(common, "default") if isinstance(common, Obj) else UNDEFINED):
        options = Options(evaluator, value)
        if options.get("autoload") is False:
            return None
        override = options.get("prefixOverride")
        if isinstance(override, str):
            return f"!{override}"
        prefix = options.get("autoPrefix")
        if isinstance(prefix, str):
            return prefix
        config = Options(evaluator, options.get("autoConfig"))
        if (prefix := config.text("prefix")) is not None:
            return prefix
    return ""


def _matches(options: Options, name: str, text: str, default: re.Pattern[str] | None) -> bool:
    pattern = options.get(name)
    if isinstance(pattern, Regex):
        expression = compiled(pattern)
        return expression is not None and expression.search(text) is not None
    return default is not None and default.match(text) is not None


def _filtered(options: Options, name: str, path: str, root: str, call: Call) -> bool:
    pattern = options.get(name)
    relative = f"/{posixpath.relpath(path, root)}"
    if isinstance(pattern, str):
        return pattern in relative
    if isinstance(pattern, Closure):
        return call.evaluator.force(call.evaluator.call_values(pattern, relative)) is not False
    return _matches(options, name, relative, None)


def _parameters(schema: Options) -> Iterator[Parameter]:
    for key, location in (
        ("params", ParameterLocation.PATH),
        ("querystring", ParameterLocation.QUERY),
        ("query", ParameterLocation.QUERY),
        ("headers", ParameterLocation.HEADER),
    ):
        plain = to_json(schema.get(key), schema.evaluator)
        properties = plain.get("properties") if isinstance(plain, dict) else None
        if not isinstance(plain, dict) or not isinstance(properties, dict):
            continue
        required = plain.get("required")
        for name, each in properties.items():
            needed = location is ParameterLocation.PATH or (isinstance(required, list) and name in required)
            yield Parameter(name, location, required=needed, schema=each if isinstance(each, dict) else True)


def _body(schema: Options) -> RequestBody | None:
    plain = to_json(schema.get("body"), schema.evaluator)
    if not isinstance(plain, dict) or not plain.keys() & {"type", "properties", "oneOf", "anyOf", "allOf"}:
        return None
    return RequestBody(True, (MediaType("application/json", plain),))


def to_json(value: Value, evaluator: Evaluator, depth: int = 0) -> Any:
    """What is known of a literal, as JSON."""
    value = evaluator.force(value)
    if depth > 12:
        return None
    if isinstance(value, Obj):
        return {
            key: plain
            for key, each in evaluator.entries(value)
            if (plain := to_json(each, evaluator, depth + 1)) is not None
        }
    if isinstance(value, list):
        return [plain for each in value if (plain := to_json(each, evaluator, depth + 1)) is not None]
    if isinstance(value, str):
        return None if unknown_parts(value) else value
    return value if isinstance(value, (bool, int, float)) else None


@package("fastify")
def _fastify(evaluator: Evaluator) -> Value:
    fastify = NativeFunction(lambda call: FastifyInstance(call.evaluator, is_application=True), name="fastify")
    fastify.props |= {"default": fastify, "fastify": fastify}
    return fastify


@package("fastify-plugin")
def _fastify_plugin(evaluator: Evaluator) -> Value:
    plugin = NativeFunction(lambda call: Plugin(_plugin(call.value(0), call.evaluator)), name="fp")
    plugin.props |= {"default": plugin, "fastifyPlugin": plugin}
    return plugin


@package("@fastify/autoload", "fastify-autoload")
def _autoload(evaluator: Evaluator) -> Value:
    return Obj({"default": (plugin := Autoload()), "autoload": plugin, "fastifyAutoload": plugin})


@adopt
def _adopt(name: str, type_name: str) -> Native | None:
    if re.match(r"Fastify(Instance|Typed\w*)\b", type_name) or (name == "fastify" and not type_name):
        return FastifyInstance(None, given=name)
    return None


@starter
def _start(evaluator: Evaluator) -> None:
    for path in _started(evaluator):
        root = FastifyInstance(evaluator, is_application=True)
        plugin = _plugin(evaluator.modules.imported("", f"{ROOT}/{path}"), evaluator)
        root.run(plugin, "", UNDEFINED, Call(evaluator, [], path, 1))


def link(code: Code) -> Iterable[Route]:
    return routes_of(code, FastifyInstance)


def _started(evaluator: Evaluator) -> list[str]:
    """The plugins that `fastify start` runs, according to the scripts of `package.json`."""
    found: dict[str, None] = {}
    for path in sorted(evaluator.resolver.paths):
        if posixpath.basename(path) != "package.json":
            continue
        package = evaluator.resolver.json(path)
        scripts = package.get("scripts") if isinstance(package, dict) else None
        for script in scripts.values() if isinstance(scripts, dict) else ():
            for match in _START.finditer(script[:_LONGEST_SCRIPT]) if isinstance(script, str) else ():
                name = re.sub(r"^(?:\./)?(?:dist|build|lib)/", "src/", match[1])
                for candidate in (match[1], name, name.removeprefix("src/")):
                    target = evaluator.resolver.file(
                        posixpath.normpath(posixpath.join(posixpath.dirname(path), candidate))
                    )
                    if target:
                        found[target] = None
                        break
    return list(found)


frameworks.register("fastify")(
    Framework(
        description="Fastify (JavaScript, TypeScript): routes of plugins, under prefixes or autoloaded from folders.",
        language="javascript",
        gate=r"""(?:require\(|from|import\()\s*["'](?:fastify|@fastify/autoload|fastify-autoload)["']|\bfastify\s*\.\s*(?:get|post|put|patch|delete|all|route|register)\s*[(<]""",
        link=link,
    )
)
