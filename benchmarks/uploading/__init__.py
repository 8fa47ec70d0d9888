"""What the benchmarks of uploads share: clients, the servers that they upload to, rounds."""
