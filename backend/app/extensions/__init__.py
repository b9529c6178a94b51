"""The outside world, adapted: queues, outgoing HTTP, logging, metrics, middleware."""
