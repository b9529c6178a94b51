"""Where the dispatcher servlets of an application are mapped that Spring Boot does not run.

https://docs.spring.io/spring-framework/reference/web/webmvc/mvc-servlet/context-hierarchy.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.frameworks.spring.annotations import Annotations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.configuration import Configurations
from backend.app.modules.endpoints.discovery.source.frameworks.spring.servlets import AMBIGUOUS, servlet_prefix
from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Code, Text, Type
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import Expression


@dataclass
class _Dispatcher:
    file: str
    prefix: Text
    packages: list[str]
    """Those that its own configuration scans; empty when that cannot be told."""


class Dispatchers:
    """Those that an `AbstractAnnotationConfigDispatcherServletInitializer` registers."""

    def __init__(self, code: Code, annotations: Annotations, configurations: Configurations) -> None:
        self.code = code
        self.annotations = annotations
        self.configurations = configurations

    def prefix(self, controller: Type) -> Text:
        """Of the servlet that scans the package nearest to a controller."""
        ranked: dict[int, list[Text]] = {}
        path = controller.file.path
        for each in self._declared:
            if self._is_another(path, each.file):
                continue
            qualified = controller.qualified
            near = [len(package) for package in each.packages if qualified.startswith(f"{package}.")]
            if near or not each.packages:
                ranked.setdefault(max(near, default=0), []).append(each.prefix)
        nearest = ranked[max(ranked)] if ranked else [Text("")]
        return nearest[0] if all(each.value == nearest[0].value for each in nearest) else AMBIGUOUS

    def _is_another(self, path: str, other: str) -> bool:
        """Whether two files are of different applications."""
        if not self.configurations.is_application(path):
            return False
        return self.configurations.of(path) is not self.configurations.of(other)

    @cached_property
    def _declared(self) -> list[_Dispatcher]:
        found = []
        for file in self.code.roots:
            for type_ in file.walk():
                mappings = type_.method("getServletMappings", 0)
                if mappings is not None and mappings["body"]:
                    patterns = [text for each in _returned(mappings) for text in self.code.texts(each, type_)]
                    found.append(_Dispatcher(file.path, servlet_prefix(patterns), list(self._packages(type_))))
        return found

    def _packages(self, initializer: Type) -> Iterator[str]:
        classes = initializer.method("getServletConfigClasses", 0)
        for value in _returned(classes) if classes else []:
            for item in value[1] if value[0] == "l" else []:
                configuration = self.code.resolve(item[1], initializer) if item[0] == "t" else None
                if isinstance(configuration, Type):
                    yield from self._scanned(configuration)

    def _scanned(self, configuration: Type) -> Iterator[str]:
        mark = self.annotations.first(configuration.facts["annotations"], configuration, ["ComponentScan"])
        if mark is None:
            return
        value = mark.get("basePackages", "value")
        if value is not None:
            yield from (text.value for text in self.code.texts(*value) if not text.unknown)
        elif "basePackageClasses" not in mark.values:
            yield configuration.file.package


def _returned(method: Facts) -> Iterator[Expression]:
    return (statement[1] for statement in method["body"] or [] if statement[0] == "return")
