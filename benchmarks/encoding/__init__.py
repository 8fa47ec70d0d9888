"""What the benchmarks of encoding share."""
