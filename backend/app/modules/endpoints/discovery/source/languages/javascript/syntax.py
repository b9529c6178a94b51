"""The syntax tree that facts hold, of lists that are JSON: a node begins with its kind.

Types, JSX, and bodies of functions in which no route can be declared are no part of it.
"""

from typing import Any, TypeAlias

Expression: TypeAlias = list[Any]
"""`["s", text]`, `["v", number | bool | None]`, `["u"]` undefined, `["?", label]` what is not kept,
`["re", source, flags]`, `["i", name]`, `["m", object, name]`, `["x", object, index]`, `["c", callee, arguments, line]`,
`["n", class, arguments, line]`, `["a", items]`, `["o", [[key | expression | None, value], ...]]` (None: a spread),
`["t", parts]` a template of texts and expressions, `["b", operator, left, right]`, `["!", operator, operand]`,
`["?:", condition, then, else]`, `["=", operator, pattern, value]`, `["seq", items]`, `["...", expression]`,
`["f", name, parameters, body | None, line, arrow, makes, types]`, `["k", name, base, members, decorators, line]`,
`["import", expression]`, `["get", function]` of an object's getter. `arguments[n]` of a call lies at its line or below;
the line is that of the first argument."""
Statement: TypeAlias = list[Any]
"""`["let" | "var", [[pattern, expression | None], ...]]`, `["e", expression]`, `["r", expression | None]`, `["throw"]`,
`["if", condition, then, else]`, `["of" | "in", pattern, expression, body]`, `["loop", before, condition, after, body]`,
`["{", statements]`, `["fn", function]`, `["class", class]`, `["switch", expression, [[expression | None, body], ...]]`,
`["try", body, handler, finalizer]`, `["break"]`, `["continue"]`, `["im", module, [[imported, local], ...]]`
(imported `*`: the namespace), `["ex", module | None, [[local, exported], ...]]`, `["ex*", module]`,
`["exd", statement]` an exported declaration, `["export", expression, whole]` (whole: `export =`)."""
Pattern: TypeAlias = Any
"""A name, `["d", pattern, default]`, `["po", [[key | expression, pattern], ...]]`, `["pa", [pattern | None, ...]]`,
`["...", pattern]`, or an expression that is assigned to."""
