"""Orders in files: tables in CSV or Excel, which column is what, and the orders that rows mean. Needs no service."""
