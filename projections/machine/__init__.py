"""What all read models share: following the log, rebuilding, tables, reading. It knows no question."""
