"""What holds for all inputs: both implementations agree with each other, with naive twins, and with libraries of others."""
