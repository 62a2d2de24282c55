"""Statistics: pure functions from samples to estimates."""
