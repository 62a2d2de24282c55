"""The decision: whether a case regressed, from evidence, criteria and a policy."""
