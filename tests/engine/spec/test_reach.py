"""Which definitions a part of a description leads to."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.spec.model import Schema
from backend.app.engine.spec.reach import Reach


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def test_references_are_followed_through_definitions_and_cycles() -> None:
    definitions: dict[str, Schema] = {
        "A": {"items": ref("B")},
        "B": {"anyOf": [ref("A"), ref("C")]},
        "C": True,
        "D": ref("A"),
    }
    reach = Reach(definitions)
    assert reach.names({"schema": ref("B")}) == {"A", "B", "C"}
    assert reach.names([ref("C"), {"x": ref("nowhere")}]) == {"C"}
    assert reach.names({"type": "object"}) == frozenset()


def closure(start: set[str], edges: dict[str, list[str]]) -> set[str]:
    while (wider := start | {other for name in start for other in edges[name] if other in edges}) != start:
        start = wider
    return start


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.lists(st.sampled_from("ABCDEFG"), max_size=4)), st.data())
def test_it_is_the_transitive_closure(edges: dict[str, list[str]], data: st.DataObject) -> None:
    reach = Reach({name: {"anyOf": [ref(other) for other in others]} for name, others in edges.items()})
    for _ in range(3):
        names = data.draw(st.lists(st.sampled_from("ABCDEFG")))
        assert reach.names([ref(name) for name in names]) == closure(set(names) & edges.keys(), edges)
