"""The drill: outages on a schedule, and what alerts, metrics and IDs made of them."""
