"""What `scripts/generate-docs` makes of the code: one module for each page."""
