"""``python -m ama2sec.demo``: sign a conversation that nobody here wrote, verify it twice, and attack it."""
