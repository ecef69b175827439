"""Benchmarks: ratios against peers that were measured in the same run. Nothing here asserts a time."""
