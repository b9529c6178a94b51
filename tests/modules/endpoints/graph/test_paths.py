"""Ways through a graph."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.graph.paths import Edge, simple_paths

nodes = st.sampled_from("abcdef")
graphs = st.lists(st.tuples(nodes, nodes), max_size=14, unique=True).map(
    lambda pairs: [(f"{source}{target}", source, target) for source, target in pairs]
)


def every_path(edges: list[Edge], start: str, end: str, most: int) -> set[tuple[str, ...]]:
    """By trying all of them."""
    found: set[tuple[str, ...]] = set()
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        taken = waiting.pop()
        here = taken[-1][1] if taken else start
        if here == end and taken:
            found.add(taken)
        elif len(taken) < most:
            visited = {start, *(edge[1] for edge in taken)}
            waiting += [(*taken, edge) for edge, source, target in edges if source == here and target not in visited]
    return found


@given(graphs, nodes, nodes, st.integers(1, 5))
def test_all_simple_paths_are_found_the_shortest_first(edges: list[Edge], start: str, end: str, most: int) -> None:
    result = simple_paths(edges, start, end, max_length=most, limit=10_000)
    assert result.complete
    assert len(set(result.found)) == len(result.found)
    assert set(result.found) == (every_path(edges, start, end, most) if start != end else set())
    assert all(len(one) <= len(other) for one, other in pairwise(result.found))


def test_the_work_is_bounded() -> None:
    layers = [[f"{layer}{n}" for n in range(20)] for layer in range(6)]
    edges = [(f"{a}-{b}", a, b) for above, below in pairwise(layers) for a in above for b in below]
    few = simple_paths(edges, "00", "50", max_length=8, limit=3)
    none = simple_paths(edges, "00", "50", max_length=8, limit=1_000_000, steps=100)
    assert [len(path) for path in few.found] == [5, 5, 5]
    assert not few.complete
    assert not none.complete
    assert len(none.found) <= 100
