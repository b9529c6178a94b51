"""One registry serves every family of plug-ins (checks, detectors, discovery strategies, recipes, ...).

A family is a package with a `Registry` of its own. A file dropped into the package registers what it decorates;
other distributions add theirs through an entry point group of the same name.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownPluginError(LookupError):
    """No plug-in of that name; the message lists the names there are."""


class Registry(Generic[T]):
    """Plug-ins of one family by name, in alphabetical order.

    `package` is the dotted name of the folder that holds the built-in plug-ins; it is imported on first use.
    The entry point group for third parties is `touchstone.<family>`.
    """

    def __init__(self, family: str, package: str) -> None:
        self.family = family
        self.package = package
        self.group = f"touchstone.{family}"
        self._plugins: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds a plug-in. Raises `ValueError` when the name is taken by another one."""

        def add(plugin: T) -> T:
            if self._plugins.setdefault(name, plugin) is not plugin:
                raise ValueError(f"{self.family}: the name {name!r} is taken")
            return plugin

        return add

    @property
    def is_loaded(self) -> bool:
        """Whether the plug-ins are imported; they are at the first question about them."""
        return self._loaded

    def names(self) -> list[str]:
        self._load()
        return sorted(self._plugins)

    def get(self, name: str) -> T:
        """Raises `UnknownPluginError`."""
        self._load()
        try:
            return self._plugins[name]
        except KeyError:
            raise UnknownPluginError(f"no {self.family} named {name!r}; there are: {', '.join(self.names())}") from None

    def items(self) -> Iterator[tuple[str, T]]:
        self._load()
        return iter(sorted(self._plugins.items()))

    def describe(self, name: str) -> str:
        """What a person reads about a plug-in: its `description`, or the first sentence of its module's docstring or of
        its own."""
        plugin = self.get(name)
        module = inspect.getmodule(plugin)
        written = getattr(plugin, "description", None) or (module and module.__doc__) or plugin.__doc__
        return first_sentence(written or "")

    def _load(self) -> None:
        if self._loaded:
            return
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        from importlib import metadata  # takes longer than the rest of the module

        for entry_point in metadata.entry_points(group=self.group):
            plugin = entry_point.load()
            if self._plugins.setdefault(entry_point.name, plugin) is not plugin:
                raise ValueError(f"{self.family}: the name {entry_point.name!r} is taken")
        self._loaded = True


def first_sentence(text: str) -> str:
    """Of a docstring, on one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
