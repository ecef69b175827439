"""Properties: random runs against plain models."""
