"""`make reference`: the pages of `docs/reference`, written from the code."""

import ast
import inspect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI
from pydantic import BaseModel

from backend.app import cli
from backend.app.api import PLUGINS, include_modules, include_operations
from backend.app.core.errors import TouchstoneError
from backend.app.core.message_hub import hub
from backend.app.core.permissions import Permission, Role
from backend.app.core.registry import first_sentence
from backend.app.core.settings import PREFIX, Settings
from backend.app.engine.diff.model import (
    AlternativesPair,
    ApiPair,
    BodyPair,
    CallbackPair,
    ContentPair,
    OperationPair,
    ParameterPair,
    Relation,
    ResponsePair,
    SchemaPair,
)
from backend.app.engine.diff.rules import rules as diff_rules
from backend.app.engine.diff.shape import Direction
from backend.app.extensions.error_handlers import HTTP_CODES, OTHER_HTTP_CODE

FOLDER = Path(__file__).parents[2] / "docs/reference"


def pages() -> dict[str, str]:
    """Markdown by file name."""
    app = FastAPI()
    include_modules(app)
    include_operations(app)
    return {
        "api.md": _api(app.openapi()),
        "cli.md": _cli(),
        "diff-rules.md": _diff_rules(),
        "errors.md": _errors(),
        "events.md": _events(),
        "permissions.md": _permissions(),
        "plugins.md": _plugins(),
        "settings.md": _settings(),
    }


def write(folder: Path = FOLDER) -> None:
    for name, text in pages().items():
        (folder / name).write_text(text)


def _api(document: dict[str, Any]) -> str:
    by_tag: dict[str, list[Sequence[str]]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            said = first_sentence(operation.get("description") or operation["summary"])
            row = (method.upper(), f"`{path}`", operation.get("x-permission", "public"), said)
            by_tag.setdefault(operation["tags"][0], []).append(row)
    parts = [f"## {tag}\n\n{_table(('method', 'path', 'permission', ''), rows)}" for tag, rows in by_tag.items()]
    return _page("API", "All details are in `/api/v1/openapi.json`; `/api/v1/docs` shows it.", *parts)


def _cli() -> str:
    group: Any = typer.main.get_command(cli.app)
    parts = []
    for name, command in _commands(group):
        context = command.context_class(command, info_name=name)
        usage = " ".join(["touchstone", name, *command.collect_usage_pieces(context)])
        rows = [(f"`{words}`", said) for words, said in (each.get_help_record(context) for each in command.params)]
        parts.append(f"## {name}\n\n`{usage}`\n\n{inspect.cleandoc(command.help)}\n\n{_table(('', ''), rows)}".rstrip())
    return _page("Commands", *parts)


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    """By the words that call them: `secrets rotate`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {word}", each) for word, each in _commands(command))
        else:
            yield name, command


_COMPARED: dict[type, str] = {
    ApiPair: "The API as a whole",
    OperationPair: "Operations",
    ParameterPair: "Parameters",
    BodyPair: "Request bodies",
    ContentPair: "Media types",
    ResponsePair: "Responses",
    CallbackPair: "Callbacks",
    SchemaPair: "Schemas",
    AlternativesPair: "Alternatives of a schema",
}


def _diff_rules() -> str:
    parts = []
    for about, heading in _COMPARED.items():
        mine = [(name, rule) for name, rule in diff_rules.items() if rule.about is about]
        plain = [
            (f"`{name}`", rule.severities[name], rule.description) for name, rule in mine if name in rule.severities
        ]
        varied = [
            (f"`{name}`", *rule.severities.values(), rule.description)
            for name, rule in mine
            if name not in rule.severities
        ]
        parts.append(f"## {heading}")
        if plain:
            parts.append(_table(("rule", "severity", ""), plain))
        if varied:
            columns = (f"{direction} {relation}" for direction in Direction for relation in Relation)
            parts.append("A change is called `<request or response>.<rule>.<relation>`: `response.enum.widened`.")
            parts.append(_table(("rule", *columns, ""), varied))
    return _page("Rules of drift", "What they mean together: [drift](../guides/drift.md).", *parts)


def _errors() -> str:
    kinds: list[type[TouchstoneError]] = [TouchstoneError, *_ours(TouchstoneError)]
    known = {(kind.code, kind.status, kind.title) for kind in kinds}
    known |= {(code, status, HTTPStatus(status).phrase) for status, code in HTTP_CODES.items()}
    table = _table(
        ("code", "status", "title"), [(f"`{code}`", str(status), said) for code, status, said in sorted(known)]
    )
    introduction = "The `code` of a problem answer (RFC 9457) stays when its words change."
    return _page("Errors", introduction, table, f"`{OTHER_HTTP_CODE}`: any other refusal by the HTTP layer.")


def _events() -> str:
    parts = []
    for event in hub.events():
        if not event.__module__.startswith("backend."):
            continue
        said = first_sentence(event.__dict__.get("__doc__") or "")
        schema = event.model_json_schema()
        fields = [(f"`{name}`", _type(each, schema)) for name, each in schema["properties"].items()]
        handlers = [
            f"- `{handler.name}` on the queue `{handler.queue}`, {handler.attempts} attempts at most"
            for handler in hub.handlers()
            if handler.event is event
        ]
        heading = f"## {event.name}\n\n" + f"Version {event.version}. {said}".rstrip()
        parts += [heading, _table(("field", "type"), fields), "\n".join(handlers)]
    return _page("Events", "A name that ends in `.requested` is a command: it has one handler.", *parts)


def _permissions() -> str:
    rows = [
        (f"`{permission.value}`", *("yes" if permission in role.permissions else "" for role in Role))
        for permission in Permission
    ]
    return _page("Permissions", _table(("", *(role.value for role in Role)), rows))


def _plugins() -> str:
    parts = []
    for registry in PLUGINS:
        rows = [(f"`{name}`", registry.describe(name)) for name in registry.names()]
        where = f"One file in `{registry.package}`, or the entry point group `{registry.group}`."
        parts.append(f"## {registry.family}\n\n{where}\n\n{_table(('name', ''), rows)}")
    return _page("Plug-ins", *parts)


def _settings() -> str:
    rows = []
    groups = {name: field.annotation for name, field in Settings.model_fields.items()}
    for group, kind in groups.items():
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            rows.append(_setting(group, Settings.model_fields[group].default, Settings))
            continue
        rows += [_setting(f"{group}.{key}", field.default, kind) for key, field in kind.model_fields.items()]
    introduction = (
        "The first that says something wins: the environment, `.env`, `touchstone.toml`. "
        "In the environment lists are written as JSON."
    )
    return _page("Settings", introduction, _table(("key", "environment", "default", ""), rows))


def _setting(key: str, default: Any, group: type[BaseModel]) -> Sequence[str]:
    name = PREFIX + key.replace(".", "__").upper()
    shown = "none" if default is None else f"`{list(default) if isinstance(default, tuple) else default}`"
    return f"`{key}`", f"`{name}`", shown, _meanings(group).get(key.rpartition(".")[2], "")


def _meanings(group: type[BaseModel]) -> dict[str, str]:
    """The docstrings below attributes, by attribute. Pydantic would read them at each start of the server."""
    (tree,) = ast.parse(inspect.getsource(group)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(tree.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _type(schema: dict[str, Any], whole: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _type(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return " or ".join(_type(each, whole) for each in schema["anyOf"])
    return " or ".join(f"`{each}`" for each in schema["enum"]) if "enum" in schema else str(schema["type"])


def _ours(base: type[TouchstoneError]) -> Iterator[type[TouchstoneError]]:
    """The subclasses in the application: tests have some of their own."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("backend."):
            yield kind
        yield from _ours(kind)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", "Written by `make reference` from the code.", *filter(None, parts)]) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write()
