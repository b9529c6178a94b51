"""What Django does when it starts: it chooses settings, and imports the applications that they install."""

import re
from functools import cached_property, partial
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.python import builtins
from backend.app.modules.endpoints.discovery.source.languages.python.values import (
    Call,
    Class,
    External,
    Function,
    Lazy,
    Module,
    Value,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.python.evaluate import Evaluator

_SETTINGS_MODULE = re.compile(rb"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


class Django:
    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self.settings: list[Module] = []
        """The modules of settings, as far as they were followed."""
        self._prepared = 0

    @cached_property
    def chosen_settings(self) -> Module | None:
        """The settings that the programs of a project take when the environment names no others."""
        evaluator = self.evaluator
        for name in ("wsgi.py", "asgi.py", "manage.py"):
            programs = [path for path in evaluator.names.files if path.rpartition("/")[2] == name]
            for path in sorted(programs, key=lambda path: (path.count("/"), path)):
                named = _SETTINGS_MODULE.search(evaluator.sources.text(path) or b"")
                found = evaluator.import_module(named[1].decode(), evaluator.module(path)) if named else None
                if isinstance(found, Module):
                    return found
        return None

    def prepare(self) -> None:
        """What is called of each installed application before the URLconf is read: `AppConfig.ready`."""
        evaluator = self.evaluator
        while self._prepared < len(self.settings):
            settings = self.settings[self._prepared]
            self._prepared += 1
            for entry in builtins.as_items(evaluator.member(settings, "INSTALLED_APPS")):
                package = entry.partition(".apps.")[0] if isinstance(entry, str) else ""
                found = evaluator.import_module(f"{package}.apps", settings) if package else None
                if not isinstance(found, Module) or found.executed:
                    continue
                evaluator.execute_apart(found)
                for made in self._configurations(found):
                    ready = made.find("ready")
                    if isinstance(ready, Function) and ready.builds:
                        evaluator.guarded(found.path, ready.line, partial(evaluator.exercise, made, [ready]))

    def app_configs(self) -> list[Value]:
        """An object for each application that the settings install."""
        entries = {
            entry: None
            for settings in self.settings
            for entry in builtins.as_items(self.evaluator.member(settings, "INSTALLED_APPS"))
            if isinstance(entry, str)
        }
        return [self._app_config(entry) for entry in entries]

    def _app_config(self, entry: str) -> Call:
        """The `AppConfig` of an entry of `INSTALLED_APPS`: `"shop"` or `"shop.apps.ShopConfig"`."""
        evaluator, settings = self.evaluator, self.settings[0]
        package, _, name = entry.partition(".apps.")
        found = evaluator.import_module(f"{package}.apps", settings)
        configurations: list[Class] = []
        if isinstance(found, Module):
            evaluator.execute(found)
            configurations = self._configurations(found)
        else:
            package = entry
        chosen = [made for made in configurations if made.name == name] or configurations[:1]
        made = Call(chosen[0] if chosen else External("django.apps.AppConfig"), [], {}, settings, 0)
        declared = evaluator.attribute(made, "label", settings, 0)
        label = declared if isinstance(declared, str) else package.rpartition(".")[2]
        made.attributes.update(name=package, label=label, module=evaluator.import_module(package, settings))
        return made

    def _configurations(self, module: Module) -> list[Class]:
        return [made for made in self.evaluator.classes_of(module) if "django.apps.AppConfig" in made.outside()]

    def open_models(self, folder: str) -> None:
        """What is imported of each application in a folder: its models, and what they are imported from."""
        path = self.evaluator.names.find(folder, "models")
        if path is not None:
            self.evaluator.guarded(path, 0, partial(self._open_imported, self.evaluator.module(path), f"{folder}/"))

    def _open_imported(self, module: Module, inside: str) -> None:
        evaluator = self.evaluator
        evaluator.open(module)
        imports = [value for value in module.scope.variables.values() if isinstance(value, Lazy)]
        for found in [
            *(evaluator.import_module(each.dotted, each.importer, each.level) for each in imports),
            *module.scope.stars,
        ]:
            if isinstance(found, Module) and found.path.startswith(inside):
                evaluator.open(found)

    def models_of(self, folder: str) -> list[Value]:
        """The models that the application in a folder declares."""
        path = self.evaluator.names.find(folder, "models")
        if path is None:
            return []
        models = self.evaluator.module(path)
        self.evaluator.execute(models)
        self.evaluator.import_parts(models)
        inside = path.removesuffix("__init__.py")
        return [
            made for made in self.evaluator.classes if made.module.path.startswith(inside) and builtins.is_model(made)
        ]
