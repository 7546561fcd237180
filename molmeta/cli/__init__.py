"""The command line: it parses, calls and prints; one module a verb."""
