"""A conversation about goals and runs: the only place that imports the line editor."""
