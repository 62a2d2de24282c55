"""What Prometheus reads of the guards."""
