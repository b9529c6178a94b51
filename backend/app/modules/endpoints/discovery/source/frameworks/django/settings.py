"""The settings of a Django project: of the modules that name a URLconf, as far as they tell."""

from backend.app.modules.endpoints.discovery.source.languages.python.builtins import concatenate, label_of_model
from backend.app.modules.endpoints.discovery.source.languages.python.code import Code
from backend.app.modules.endpoints.discovery.source.languages.python.routes import strings
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Class,
    External,
    Module,
    Text,
    Unknown,
    Value,
)

_OBJECT = "django.conf.settings."


class Settings:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.modules = [
            module
            for module in code.modules.values()
            if module.executed and {"ROOT_URLCONF", "REST_FRAMEWORK"} & module.scope.variables.keys()
        ]
        self.language = next(
            (value.lower() for value in self._values("LANGUAGE_CODE") if isinstance(value, str)), "en-us"
        )
        self.default_permissions = [
            name
            for value in self._values("REST_FRAMEWORK")
            if isinstance(value, dict)
            for name in strings(value.get("DEFAULT_PERMISSION_CLASSES"))
        ]
        self.applications: dict[str, tuple[str, str]] = {}
        """Installed ones by the names of their packages: folder in the tree, or nothing, and label."""
        for module in self.modules:
            for entry in strings(self._value(module, "INSTALLED_APPS")):
                self._install(entry, module)
        self.installed = frozenset(self.applications)

    def _values(self, name: str) -> list[Value]:
        return [self._value(module, name) for module in self.modules]

    def _value(self, module: Module, name: str) -> Value:
        value = self.code.member(module, name)
        return None if isinstance(value, Unknown) else value

    def value(self, name: str) -> Value:
        """Of the first module that says something; None: there is none."""
        return next((value for value in self._values(name) if isinstance(value, str | int | list | tuple)), None)

    def text(self, name: str) -> str | None:
        """A setting that is a text in one of the modules."""
        return next((value for value in self._values(name) if isinstance(value, str)), None)

    def settle(self, value: Value) -> Value:
        """With settings in the place of `settings.NAME`."""
        if isinstance(value, Text):
            return concatenate([self.settle(part) if isinstance(part, Unknown) else part for part in value.parts])
        if isinstance(value, External | Unknown) and value.name.startswith(_OBJECT):
            found = self.text(value.name.removeprefix(_OBJECT))
            return value if found is None else found
        return value

    def _install(self, entry: str, module: Module) -> None:
        found = self.code.import_module(entry, module)
        package, label = entry, entry.rpartition(".")[2]
        if not isinstance(found, Module) and ".apps." in entry:
            package = entry.partition(".apps.")[0]
            found = self.code.import_module(package, module)
            label = package.rpartition(".")[2]
            configuration = self.code.import_module(f"{package}.apps", module)
            if isinstance(configuration, Module):
                made = self.code.member(configuration, entry.rpartition(".")[2])
                declared = made.find("label") if isinstance(made, Class) else None
                label = declared if isinstance(declared, str) else label
        folder = found.path.removesuffix("/__init__.py") if isinstance(found, Module) else ""
        self.applications.setdefault(package, (folder, label))

    def model(self, model: Value) -> tuple[str, str] | None:
        """Label of the application and name in lower case, as in the paths of the admin site."""
        if isinstance(model, Class):
            return self._label_of(model.module.path) or label_of_model(model), model.name.lower()
        if isinstance(model, External) and ".models." in model.name:
            package, _, name = model.name.partition(".models.")
            label = self.applications.get(package, ("", package.rpartition(".")[2]))[1]
            return label, name.rpartition(".")[2].lower()
        return None

    def user_model(self) -> tuple[str, str]:
        label, _, name = (self.text("AUTH_USER_MODEL") or "auth.User").partition(".")
        return label, name.lower()

    def _label_of(self, path: str) -> str:
        """Of the innermost application that a file is in."""
        homes = [(folder, label) for folder, label in self.applications.values() if folder]
        inside = [(folder, label) for folder, label in homes if path.startswith(f"{folder}/")]
        return max(inside, key=lambda home: len(home[0]))[1] if inside else ""
