"""The gate tested on itself: its false alarms and its detection rate."""
