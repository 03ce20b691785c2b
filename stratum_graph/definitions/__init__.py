"""Where definitions come from: files in, verified and evaluated nodes out."""
