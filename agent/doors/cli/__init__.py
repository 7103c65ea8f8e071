"""The command line: words in, exit code out. Importing it imports click alone."""
