"""The database: engines, the one place that commits, and the outbox that events and jobs live in."""
