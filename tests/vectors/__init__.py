"""Vectors: questions with the one right answer, for any implementation (see README.md)."""
