"""Path patterns of Spring, and templates of OpenAPI."""


def combine(first: str, second: str) -> str:
    """The pattern of a class and of a method, as `PathPattern.combine` does."""
    first, second = _rooted(first), _rooted(second)
    if first.endswith("/*") and second:
        return first[:-2] + second
    if first in {"/**", "/*"} and second:
        return second
    if first.endswith("/**") and second.startswith(first[:-2]):
        return second
    return join(first, second)


def join(first: str, second: str) -> str:
    """With one slash between them."""
    first, second = _rooted(first), _rooted(second)
    return first + second[1:] if first.endswith("/") and second else first + second


def to_template(pattern: str) -> str:
    """`/{id:\\\\d+}/{*rest}` to `/{id}/{rest}`. Wildcards without a name stay."""
    parts: list[str] = []
    position = 0
    while (start := pattern.find("{", position)) >= 0:
        depth = 0
        end = start
        for end in range(start, len(pattern)):
            depth += (pattern[end] == "{") - (pattern[end] == "}")
            if depth == 0:
                break
        if depth:
            break
        parts.append(pattern[position:start])
        name = pattern[start + 1 : end].partition(":")[0].strip().lstrip("*")
        parts.append("{" + name + "}")
        position = end + 1
    return "".join(parts) + pattern[position:]


def _rooted(path: str) -> str:
    return path if not path or path.startswith("/") else "/" + path
