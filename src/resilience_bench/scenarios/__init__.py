"""What can be measured: scenarios, their discovery, their names, their loads."""
