"""Which regular expressions of a document can be checked without risk.

JSON Schema patterns are ECMA-262. Those that compile for a linear-time automaton of bounded size are checked; those
that need backtracking (look-around, back references) are not: no limit on backtracking kept the time for one match
bounded over long texts when we measured it.
"""

from functools import lru_cache

import jsonschema_rs

LINEAR = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 21)
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=1, size_limit=1 << 20)
_LONGEST = 10_000


@lru_cache(maxsize=10_000)
def pattern_fault(pattern: str) -> str | None:
    """Why values are not checked against the pattern; `None` when they are."""
    if len(pattern) > _LONGEST:
        return f"a pattern of {len(pattern)} characters is not checked"
    if _compiles(pattern, LINEAR):
        return None
    if _compiles(pattern, _BACKTRACKING):
        return f"the pattern {pattern[:80]!r} needs backtracking and is not checked"
    return f"the pattern {pattern[:80]!r} is too large or no regular expression and is not checked"


def _compiles(pattern: str, engine: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=engine)
    except ValueError:
        return False
    return True
