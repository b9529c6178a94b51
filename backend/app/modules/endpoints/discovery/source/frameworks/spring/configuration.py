"""What `application.properties` and `application.yml` say of a module, in the profile that runs by default.

https://docs.spring.io/spring-boot/reference/features/external-config.html
"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from backend.app.modules.endpoints.discovery.source import Sources
from backend.app.modules.endpoints.discovery.source.frameworks.spring.servlets import read_web_xml
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Text, is_test

_CONFIGURATION = re.compile(r"(?:^|/)(?:application|bootstrap)(-\w+)?\.(properties|ya?ml)$")
_DESCRIPTOR = re.compile(r"(?:^|/)WEB-INF/web\.xml$")
_BUILD = re.compile(r"(?:^|/)(?:pom\.xml|build\.gradle(?:\.kts)?)$")
_EXAMPLES = re.compile(r"(?:^|/)(?:docs?|examples?|samples?|demos?)(?:/|$)")
_YAML_ENTRY = re.compile(r"""^( *)(?:- +)?(?:"([^"]*)"|'([^']*)'|([^\s#'"\[\]{},&*!|>%@][^#]*?)) *:(?:\s+(.*))?$""")
_PROPERTY = re.compile(r"^\s*([^\s:=#!][^\s:=]*)\s*[:=\s]\s*(.*)$")
_PROFILES = ("spring.config.activate.onprofile", "spring.profiles")
DEEPEST = 20


@dataclass(frozen=True)
class Application:
    """The configuration that a file is run with."""

    properties: dict[str, str] = field(default_factory=dict)
    """By key in its canonical form: lower case, without dashes."""
    reactive: bool = False
    dispatcher: Text = field(default_factory=lambda: Text(""))
    """Where its `web.xml` maps the dispatcher servlet."""
    unresolved: str = ""
    """Why it cannot be told which configuration it is."""

    def value(self, key: str) -> str | None:
        return self.properties.get(_canonical(key))

    def fill(self, text: Text, depth: int = 0) -> Text:
        """With `${key:default}` replaced. A key that is nowhere set stands as `{key}`, and is unknown."""
        if "${" not in text.value and "#{" not in text.value:
            return text
        filled, unknown = self._filled(text.value, depth)
        return Text(filled, text.unknown + tuple(unknown))

    def _filled(self, text: str, depth: int) -> tuple[str, list[str]]:
        unknown: list[str] = []
        parts: list[str] = []
        position = 0
        while (start := _earliest(text, position)) >= 0:
            end = _closing(text, start + 1)
            if end < 0 or depth > DEEPEST:
                break
            parts.append(text[position:start])
            inside = text[start + 2 : end]
            position = end + 1
            if text[start] == "#":
                parts.append("{expression}")
                unknown.append(text[start:position])
                continue
            key, colon, default = inside.partition(":")
            value = self.value(key)
            if value is None and colon:
                value = default
            if value is None:
                key = "".join(char for char in key if char not in "{}/$")
                parts.append("{" + key + "}")
                unknown.append("${" + key + "}")
                continue
            nested, more = self._filled(value, depth + 1)
            parts.append(nested)
            unknown += more
        return "".join(parts) + text[position:], unknown

    @cached_property
    def prefix(self) -> Text:
        """What stands before every path: the context path and the path of the dispatcher."""
        keys: tuple[str, ...] = ("spring.webflux.base-path",)
        if not self.reactive:
            keys = ("server.servlet.context-path", "server.context-path", "spring.webflux.base-path")
        first = next((value for key in keys if (value := self.value(key))), "")
        second = (
            "" if self.reactive else self.value("spring.mvc.servlet.path") or self.value("server.servlet-path") or ""
        )
        parts = [self.fill(Text(part.strip())) for part in (first, second)]
        parts.append(self.dispatcher)
        unknown = tuple(name for part in parts for name in part.unknown)
        return Text("".join(part.value.rstrip("/") for part in parts), unknown)


class Configurations:
    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._of: dict[str, Application] = {}

    def of(self, path: str) -> Application:
        module = _module(path)
        if module not in self._of:
            self._of[module] = self._find(module)
        return self._of[module]

    def is_application(self, path: str) -> bool:
        """Whether a file's module is configured itself; otherwise it may be a part of any."""
        return _module(path) in self._applications

    def _find(self, module: str) -> Application:
        folder = module
        while True:
            if folder in self._applications:
                return self._applications[folder]
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        users = [each for name, each in self._applications.items() if module in self._needed(name)]
        others = [each for name, each in self._applications.items() if _EXAMPLES.search(name) is None]
        candidates = users or others or list(self._applications.values())
        prefixes = {each.prefix.value for each in candidates}
        if not candidates:
            return Application(reactive=self._is_reactive(module))
        if len(prefixes) == 1:
            return candidates[0]
        return Application(unresolved="which application it is a part of is not known: their context paths differ")

    @cached_property
    def _applications(self) -> dict[str, Application]:
        """By folder of the module."""
        by_module: dict[str, list[str]] = {}
        for path in sorted(self.sources.paths):
            if _CONFIGURATION.search(path) and not is_test(path) and "/src/test/" not in f"/{path}":
                by_module.setdefault(_module(path), []).append(path)
        applications = {module: self._read(module, paths) for module, paths in by_module.items()}
        for path in sorted(self.sources.paths):
            if _DESCRIPTOR.search(path) and not is_test(path):
                dispatcher = read_web_xml((self.sources.text(path) or b"").decode("utf-8", "replace"))
                if dispatcher.value or dispatcher.unknown:
                    module = _module(path)
                    known = applications.get(module) or Application()
                    applications[module] = replace(known, dispatcher=dispatcher)
        return applications

    def _read(self, module: str, paths: list[str]) -> Application:
        documents: list[tuple[int, str, dict[str, str]]] = []
        for path in paths:
            match = _CONFIGURATION.search(path)
            text = self.sources.text(path)
            if match is None or text is None:
                continue
            parse = read_properties if match[2] == "properties" else read_yaml
            rank = (path.rpartition("/")[2].startswith("application")) * 2 + (match[2] == "properties")
            for document in parse(text.decode("utf-8", "replace")):
                profile = (match[1] or "").removeprefix("-")
                profile = profile or next((document[key] for key in _PROFILES if key in document), "")
                documents.append((rank, profile, document))
        documents.sort(key=lambda each: each[0])
        plain: dict[str, str] = {}
        for _, profile, document in documents:
            if not profile:
                plain |= document
        active = Application(plain).fill(Text(plain.get("spring.profiles.active", ""))).value
        names = {name.strip() for name in active.split(",")} - {""} or {"default"}
        merged = dict(plain)
        for _, profile, document in documents:
            if profile and names & {name.strip() for name in profile.split(",")}:
                merged |= document
        return Application(merged, self._is_reactive(module))

    def _is_reactive(self, module: str) -> bool:
        build = self._builds.get(module, "")
        return "starter-webflux" in build and re.search(r"starter-web(?!flux|-?services|socket)\b", build) is None

    @cached_property
    def _builds(self) -> dict[str, str]:
        """Build files by the folder they are in."""
        builds: dict[str, str] = {}
        for path in sorted(self.sources.paths):
            if _BUILD.search(path) and len(builds) < 5_000:
                folder = path.rpartition("/")[0]
                builds[folder] = builds.get(folder, "") + (self.sources.text(path) or b"").decode("utf-8", "replace")
        return builds

    def _needed(self, module: str) -> set[str]:
        """The modules of the tree that one is built with, itself among them."""
        needed = {module}
        pending = [module]
        while pending:
            build = self._builds.get(pending.pop(), "")
            names = re.findall(r"<artifactId>\s*([\w.-]+)", build)
            names += [name.rpartition(":")[2] for name in re.findall(r"""project\([^)]*?["']([\w:.-]+)""", build)]
            for name in names:
                folder = self._modules.get(name)
                if folder is not None and folder not in needed:
                    needed.add(folder)
                    pending.append(folder)
        return needed

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Folders of modules by the name that they are needed by: what Maven calls them, else the folder's."""
        named = {folder.rpartition("/")[2]: folder for folder in self._builds}
        for folder, build in self._builds.items():
            before, _, parent = build.partition("<parent>")
            own = before + parent.partition("</parent>")[2]
            if match := re.search(r"<artifactId>\s*([\w.-]+)", own.partition("<depend")[0]):
                named[match[1]] = folder
        return named


def read_properties(text: str) -> list[dict[str, str]]:
    """Documents are told apart by `#---`."""
    documents: list[dict[str, str]] = [{}]
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        if line.startswith(("#---", "!---")):
            documents.append({})
        elif match := _PROPERTY.match(line):
            documents[-1][_canonical(match[1])] = match[2].strip()
    return documents


def read_yaml(text: str) -> list[dict[str, str]]:
    """The scalars of block mappings, line by line: templates with `@key@` or `{{ key }}`, which no YAML parser takes,
    cost their line only. What stands in lists, flow collections and block scalars is left out."""
    documents: list[dict[str, str]] = [{}]
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.startswith("---"):
            documents.append({})
            above = []
            continue
        match = _YAML_ENTRY.match(line)
        if match is None or line.lstrip().startswith("- "):
            continue
        indent = len(match[1])
        while above and above[-1][0] >= indent:
            above.pop()
        above.append((indent, match[2] or match[3] or match[4]))
        value = _scalar(match[5] or "")
        if value and len(above) < 50:
            documents[-1][_canonical(".".join(key for _, key in above))] = value
    return documents


def _scalar(text: str) -> str:
    text = text.strip()
    if text[:1] in {'"', "'"}:
        end = text.find(text[0], 1)
        return text[1:end] if end > 0 else ""
    text = re.split(r"\s#", text, maxsplit=1)[0].strip()
    return "" if text[:1] in {"{", "[", "|", ">", "&", "*", "#"} else text


def _canonical(key: str) -> str:
    return key.replace("-", "").replace("_", "").lower()


def _module(path: str) -> str:
    folder = (
        re.split(r"(?:^|/)src/", path, maxsplit=1)[0] if re.search(r"(?:^|/)src/", path) else path.rpartition("/")[0]
    )
    return re.sub(r"(?:^|/)(?:config|resources|conf|\w+/WEB-INF)$", "", folder)


def _earliest(text: str, position: int) -> int:
    found = [index for index in (text.find("${", position), text.find("#{", position)) if index >= 0]
    return min(found, default=-1)


def _closing(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return index
    return -1
