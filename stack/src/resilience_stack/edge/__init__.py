"""The edge of a service: health endpoints, correlation IDs, error responses."""
