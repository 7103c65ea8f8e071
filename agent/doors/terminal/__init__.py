"""The terminal: the only place that imports its drawing library."""
