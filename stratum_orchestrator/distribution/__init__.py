"""Definitions as a deployment has them: published, pulled, activated, rolled back."""
