"""Git sources: the repositories that hold a project's code, and the webhooks that tell of pushes to them."""
