"""Answers of GraphQL servers to an introspection query, made from types as the schema language writes them."""

from typing import Any

from backend.app.engine.spec.model import Json

SCALARS = ("Int", "Float", "String", "Boolean", "ID", "DateTime", "Odd")
_KINDS = {"input": "INPUT_OBJECT", "enum": "ENUM", "union": "UNION", "interface": "INTERFACE", "type": "OBJECT"}


def introspection(types: dict[str, dict[str, str] | list[str]]) -> dict[str, Json]:
    """`{"type Query": {"user(id: ID!)": "User"}, "enum Role": ["ADMIN"], "union Thing": ["User"], ...}`; a name of a
    field may end in `@old`. The roots are the types `Query`, `Mutation` and `Subscription` where they are there."""
    kinds = {name: _KINDS[kind] for kind, _, name in (each.partition(" ") for each in types)}
    kinds |= dict.fromkeys(SCALARS, "SCALAR")
    declared = [{"kind": "SCALAR", "name": name, "fields": None} for name in SCALARS]
    for key, members in types.items():
        name = key.partition(" ")[2]
        node: dict[str, Any] = {"kind": kinds[name], "name": name, "fields": None, "inputFields": None}
        if isinstance(members, list):
            node["possibleTypes" if kinds[name] == "UNION" else "enumValues"] = [{"name": each} for each in members]
        elif kinds[name] == "INPUT_OBJECT":
            node["inputFields"] = [_argument(f"{field}: {kind}", kinds) for field, kind in members.items()]
        else:
            node["fields"] = [_field(field, kind, kinds) for field, kind in members.items()]
        declared.append(node)
    names = {kind: {"name": kind} if kind in kinds else None for kind in ("Query", "Mutation", "Subscription")}
    schema = {f"{kind.lower()}Type": each for kind, each in names.items()}
    return {"data": {"__schema": {**schema, "types": declared}}}


def _field(text: str, kind: str, kinds: dict[str, str]) -> dict[str, Json]:
    name, _, arguments = text.removesuffix("@old").partition("(")
    listed = [each.strip() for each in arguments.rstrip(")").split(",") if each.strip()]
    return {
        "name": name,
        "description": f"About {name}\nand more",
        "isDeprecated": text.endswith("@old"),
        "type": _type(kind, kinds),
        "args": [_argument(each, kinds) for each in listed],
    }


def _argument(text: str, kinds: dict[str, str]) -> dict[str, Json]:
    name, _, rest = text.partition(":")
    kind, _, default = rest.partition("=")
    return {"name": name, "type": _type(kind.strip(), kinds), "defaultValue": default.strip() or None}


def _type(text: str, kinds: dict[str, str]) -> dict[str, Json]:
    if text.endswith("!"):
        return {"kind": "NON_NULL", "name": None, "ofType": _type(text[:-1], kinds)}
    if text.startswith("["):
        return {"kind": "LIST", "name": None, "ofType": _type(text[1:-1], kinds)}
    return {"kind": kinds.get(text, "OBJECT"), "name": text, "ofType": None}
