"""What an application is configured with when it runs as its repository suggests: example environment files, and the
defaults of settings. Only used for what of a path is not known otherwise."""

import posixpath
import re
from functools import partial
from typing import TYPE_CHECKING

from backend.app.modules.endpoints.discovery.source.languages.javascript.values import (
    Closure,
    Obj,
    Unknown,
    Value,
    fill_unknown,
    unknown_part,
)

if TYPE_CHECKING:
    from backend.app.modules.endpoints.discovery.source.languages.javascript.evaluate import Evaluator

ENVIRONMENT_FILES = (
    ".env.example",
    ".env.sample",
    ".env.dist",
    ".env.template",
    ".env.defaults",
    ".env.default",
    ".env.development",
    ".env.local.example",
    "env.example",
    "example.env",
    "sample.env",
    "env-example",
    "env-example-relational",
    ".env",
)
SETTING = "setting "
"""Begins the label of what a settings service was asked for: `setting app.prefix`."""
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=(.*)$")


class Settings:
    """`namespaces`: by name, what makes a group of settings. `shared`: what makes settings without a group."""

    def __init__(self, evaluator: "Evaluator") -> None:
        self.evaluator = evaluator
        self.namespaces: dict[str, Value] = {}
        self.shared: list[Value] = []
        self.defaults: dict[str, Value] = {}
        self._environments: dict[str, dict[str, str]] = {}

    def settle(self, text: str, file: str) -> str:
        """A text with its unknown parts filled in, as far as they are settings of the program that `file` is of."""
        for _ in range(3):
            settled = fill_unknown(text, lambda label: self._part(label, file))
            if settled == text:
                break
            text = settled
        return text

    def _part(self, label: str, file: str) -> str:
        if label.startswith(SETTING):
            found = self._setting(label.removeprefix(SETTING))
            if isinstance(found, (str, int)):
                return str(found)
        name = re.split(r"[.\s]", label)[-1]
        if name.isupper():
            value = self._environment(file).get(name)
            if value is not None:
                return value
        default = self.defaults.get(label.removeprefix(SETTING))
        return str(default) if isinstance(default, (str, int)) else unknown_part(label)

    def _setting(self, key: str) -> Value:
        first, _, rest = key.partition(".")
        places = [(self.namespaces[first], rest)] if first in self.namespaces and rest else []
        for make, path in [*places, *((make, key) for make in self.shared)]:
            value = (
                self.evaluator.beside(partial(self.evaluator.call_values, make)) if isinstance(make, Closure) else make
            )
            for part in path.split("."):
                value = self.evaluator.member(value, part) if isinstance(value, Obj) else None
            if isinstance(value, Unknown):
                return unknown_part(value.label)
            if isinstance(value, (str, int)):
                return value
        return None

    def _environment(self, file: str) -> dict[str, str]:
        """Of the nearest folder above a file that has an environment file."""
        folder = posixpath.dirname(file)
        if folder not in self._environments:
            self._environments[folder] = self._read(folder)
        return self._environments[folder]

    def _read(self, folder: str) -> dict[str, str]:
        result: dict[str, str] = {}
        while True:
            for name in ENVIRONMENT_FILES:
                path = posixpath.join(folder, name)
                text = self.evaluator.sources.text(path) if path in self.evaluator.sources.paths else None
                for line in (text or b"").decode(errors="replace").splitlines():
                    match = _LINE.match(line)
                    if match:
                        result.setdefault(match[1], match[2].strip().strip("'\""))
            if not folder:
                return result
            folder = posixpath.dirname(folder)
