"""Commands of the mall on their way to suppliers: what comes next for each, decided without I/O and without a clock."""
