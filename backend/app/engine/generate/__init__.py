"""From an operation to the requests that exercise it: values, cases, bindings, bytes on the wire."""
