"""Programs that stand in for suppliers, faithful to their documents, in tests, the demo and the benchmarks."""
