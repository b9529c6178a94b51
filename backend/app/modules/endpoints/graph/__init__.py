"""What belongs together: a project's entities and relationships, derived from its inventory or a person's own."""
