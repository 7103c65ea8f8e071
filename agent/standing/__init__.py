"""Standing goals: what keeps a contract alive after its run has ended."""
