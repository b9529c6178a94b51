"""What is there: the inventory of a project's operations, and the discoveries that fill it."""
