"""The full sizes of the fault table, one row at a time: `make soak ROW=1`. docs/soak.md records the runs."""
