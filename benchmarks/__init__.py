"""What this machine does per second: every figure measured, none a test."""
