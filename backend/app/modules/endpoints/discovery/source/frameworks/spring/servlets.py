"""Paths below which the dispatcher servlet is mapped, as a deployment descriptor (`web.xml`) writes them.

https://jakarta.ee/specifications/servlet/6.0/jakarta-servlet-spec-6.0#specification-of-mappings
"""

from collections.abc import Iterator

from backend.app.modules.endpoints.discovery.source.languages.jvm.code import Text

AMBIGUOUS = Text("", ("which dispatcher servlet serves it",))


def read_web_xml(text: str) -> Text:
    """The path below which a deployment descriptor maps the dispatcher servlet."""
    text = "".join(part.partition("-->")[2] if index else part for index, part in enumerate(text.split("<!--")))
    names = {
        name
        for servlet in _inside("servlet", text)
        if "springframework.web.servlet.DispatcherServlet" in servlet
        for name in _inside("servlet-name", servlet)
    }
    prefixes = [
        servlet_prefix([Text(pattern) for pattern in _inside("url-pattern", mapping)])
        for mapping in _inside("servlet-mapping", text)
        if names.intersection(_inside("servlet-name", mapping))
    ]
    if not prefixes:
        return Text("")
    return prefixes[0] if all(each.value == prefixes[0].value for each in prefixes) else AMBIGUOUS


def servlet_prefix(patterns: list[Text]) -> Text:
    """`/api/*` is `/api`; `/` and `*.do` are none."""
    prefixes = [
        Text(each.value[:-2].rstrip("/"), each.unknown) if each.value.endswith("/*") else Text("", each.unknown)
        for each in patterns
    ]
    if not prefixes or any(not each.value and not each.unknown for each in prefixes):
        return Text("")
    return prefixes[0] if len(prefixes) == 1 else AMBIGUOUS


def _inside(element: str, text: str) -> Iterator[str]:
    """What elements without attributes hold, in time that grows with the text."""
    for part in text.split(f"<{element}>")[1:]:
        yield part.partition(f"</{element}>")[0].strip()
