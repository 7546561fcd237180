"""One self-contained HTML page about an assay: what was measured, what is predicted, and why."""
