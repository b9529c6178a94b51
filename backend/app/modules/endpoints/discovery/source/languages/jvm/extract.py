"""A Java or Kotlin file to its facts; `facts` describes them."""

from functools import cache

from tree_sitter import Node, Parser

from backend.app.modules.endpoints.discovery.source import Facts
from backend.app.modules.endpoints.discovery.source.languages.jvm import java, kotlin
from backend.app.modules.endpoints.discovery.source.languages.jvm.facts import keeps_bodies


def extract(text: bytes, suffix: str) -> Facts:
    """Never raises; `faults` holds the line of the first syntax error."""
    if b"\0" in text[:1000]:
        return {"types": [], "faults": [[0, "it is no text"]]}
    is_kotlin = suffix == ".kt"
    if is_kotlin:
        text = kotlin.mend(text)
        if not keeps_bodies(text):
            text = kotlin.without_bodies(text)
    root = _parser(is_kotlin).parse(text).root_node
    error = _first_error(root) if root.has_error else 0
    if is_kotlin and error and keeps_bodies(text):
        shorter = kotlin.without_bodies(text)
        again = _parser(is_kotlin).parse(shorter).root_node
        if not again.has_error:
            text, root = shorter, again
    reader = kotlin.KotlinReader(text) if is_kotlin else java.JavaReader(text)
    facts: Facts = {}
    try:
        reader.read(root)
    except RecursionError:
        facts["faults"] = [[0, "it is nested too deeply to be read"]]
    facts |= {
        "package": reader.package,
        "imports": reader.imports,
        "types": reader.types,
        "fields": reader.fields,
        "methods": reader.methods,
    }
    if error and "faults" not in facts:
        facts["faults"] = [[error, "syntax error; what could not be read of it was passed over"]]
    return facts


@cache
def _parser(is_kotlin: bool) -> Parser:
    return Parser(kotlin.LANGUAGE if is_kotlin else java.LANGUAGE)


def _first_error(node: Node) -> int:
    while not (node.is_error or node.is_missing):
        broken = next((child for child in node.children if child.has_error or child.is_missing), None)
        if broken is None:
            break
        node = broken
    return node.start_point.row + 1
