"""What discoveries make of the inventory: values and decisions, and the one place that stores them."""
