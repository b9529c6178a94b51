"""The drift between two versions of a description of 10,000 operations, in CPU seconds.

    python -m benchmarks.diff

Operations share 2,000 schemas, which refer to each other in chains and rings; a tenth of the schemas and a twentieth of
the operations differ. Reading the documents is not counted.
"""

import time
from dataclasses import replace

from backend.app.engine.diff import diff_descriptions
from backend.app.engine.spec.model import (
    ApiDescription,
    MediaType,
    Operation,
    Parameter,
    ParameterLocation,
    RequestBody,
    ResponseSpec,
    Schema,
)
from benchmarks.support.table import Row, print_table

OPERATIONS = 10_000
SCHEMAS = 2_000
GOAL_S = 5.0


def description(*, later: bool) -> ApiDescription:
    definitions: dict[str, Schema] = {}
    for number in range(SCHEMAS):
        properties: dict[str, Schema] = {
            **{f"field_{n}": {"type": "string", "maxLength": 100, "description": "a field"} for n in range(12)},
            "next": {"$ref": f"#/$defs/Thing{(number + 1) % SCHEMAS}"},
            "others": {"type": "array", "items": {"$ref": f"#/$defs/Thing{number * 7 % SCHEMAS}"}},
        }
        if later and number % 10 == 0:
            properties |= {"added": {"type": "integer"}, "field_1": {"type": "string", "maxLength": 50}}
            del properties["field_2"]
        definitions[f"Thing{number}"] = {"type": "object", "properties": properties, "required": ["field_0"]}
    return ApiDescription("", "", "", operations=tuple(_operations(later=later)), definitions=definitions)


def _operations(*, later: bool) -> list[Operation]:
    operations = []
    for number in range(OPERATIONS):
        thing = {"$ref": f"#/$defs/Thing{number % SCHEMAS}"}
        page = {
            "type": "object",
            "properties": {"items": {"type": "array", "items": thing}, "next": {"type": "string"}},
        }
        operation = Operation(
            "POST",
            f"/things_{number}/{{id}}",
            operation_id=f"thing_{number}",
            parameters=(
                Parameter("id", ParameterLocation.PATH, True, {"type": "integer"}, "simple"),
                Parameter("limit", ParameterLocation.QUERY, False, {"type": "integer", "maximum": 100}, "form", True),
            ),
            body=RequestBody(True, (MediaType("application/json", thing),)),
            responses=(ResponseSpec("200", (MediaType("application/json", page),)), ResponseSpec("404")),
        )
        if later and number % 20 == 0:
            operation = replace(operation, parameters=operation.parameters[:1])
        operations.append(operation)
    return operations


def run() -> list[Row]:
    old, new = description(later=False), description(later=True)
    started = time.process_time()
    changes = diff_descriptions(old, new)
    used = time.process_time() - started
    # Of each schema that differs: a property more in both directions, one less, one shorter.
    assert len(changes) == OPERATIONS // 20 + 6 * SCHEMAS // 10
    what = f"drift of {OPERATIONS} operations and {SCHEMAS} schemas, {len(changes)} changes"
    return [Row(what, f"{used:.2f} CPU s", f"< {GOAL_S} s", used < GOAL_S)]


if __name__ == "__main__":
    print_table(run())
