"""What every recipe promises, tried on each."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.modules.labs.recipes import Lab, Recipe, recipes
from tests.support.asgi import ask

ALL = [pytest.param(recipe, id=name) for name, recipe in recipes.items()]


def describe(lab: Lab) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ask(lab, "GET", "/openapi.json").body)
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for child in value:
            yield from references(child)


@pytest.mark.parametrize("recipe", ALL)
def test_the_description_is_complete(recipe: Recipe) -> None:
    document = describe(recipe.create(1, True))
    assert document["openapi"].startswith("3.1")
    assert {reference.rpartition("/")[2] for reference in references(document)} <= set(
        document["components"]["schemas"]
    )
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    assert 10 <= len(operations(document)) <= 14
    names = {f"{method} {path}" for method, path, _ in operations(document)}
    assert {fault.operation for fault in recipe.faults} <= names


@pytest.mark.parametrize("recipe", ALL)
def test_the_description_does_not_tell_the_faults(recipe: Recipe) -> None:
    assert describe(recipe.create(1, True)) == describe(recipe.create(1, False))


@pytest.mark.parametrize("recipe", ALL)
def test_equal_seeds_give_equal_labs(recipe: Recipe) -> None:
    one, same, other = recipe.create(1, True), recipe.create(1, True), recipe.create(2, True)
    assert one.credentials == same.credentials != other.credentials


def judge(document: dict[str, Any], operation: dict[str, Any], answer: Any) -> None:
    documented = operation["responses"].get(str(answer.status))
    assert documented is not None, f"{answer.status} is not documented: {answer.body!r}"
    if "content" not in documented:
        assert answer.body == b""
        return
    (content_type, media), *_ = documented["content"].items()
    assert answer.header("content-type").partition(";")[0] == content_type
    value = json.loads(answer.body) if content_type.endswith("json") else answer.body.decode()
    validator = jsonschema_rs.Draft202012Validator({**media["schema"], "components": document["components"]})
    validator.validate(value)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=200), st.sampled_from(["ebook", "poetry"])
)


def near(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit the schema more often than not."""
    if "$ref" in schema:
        return near(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema["type"] == "object":
        fields = {name: near(child, schemas) for name, child in schema["properties"].items()}
        return st.one_of(st.fixed_dictionaries(fields), st.fixed_dictionaries({}, optional=fields), VALUES)
    fitting: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(schema.get("minimum", 0) - 1, schema.get("maximum", 20) + 1),
        "number": st.floats(0, 10_000),
        "string": st.sampled_from(schema["enum"]) if "enum" in schema else st.text(max_size=130),
    }
    return st.one_of(fitting[schema["type"]], fitting[schema["type"]], fitting[schema["type"]], VALUES)


@pytest.mark.parametrize("recipe", ALL)
@settings(max_examples=30)
@given(data=st.data())
def test_whatever_is_asked_the_correct_twin_answers_as_documented(recipe: Recipe, data: st.DataObject) -> None:
    lab = recipe.create(1, False)
    document = describe(lab)
    schemas = document["components"]["schemas"]
    choices = st.lists(st.sampled_from(operations(document)), min_size=1, max_size=12)
    for method, path, operation in data.draw(choices):
        query = {}
        for parameter in operation.get("parameters", []):
            text = str(data.draw(near(parameter["schema"], schemas))).encode(errors="replace").decode()
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", quote(text, safe="") if text.strip("/.") else "1")
            elif data.draw(st.integers(0, 3)):
                query[parameter["name"]] = text
        if "%2F" in path:
            continue
        body, headers = b"", dict(lab.credentials) if data.draw(st.integers(0, 5)) else {}
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = data.draw(
                st.one_of(near(schema, schemas).map(lambda value: json.dumps(value).encode()), st.binary())
            )
            headers["Content-Type"] = data.draw(st.sampled_from(["application/json"] * 5 + ["text/plain"]))
        judge(document, operation, ask(lab, method, f"{path}?{urlencode(query)}", body, headers))
