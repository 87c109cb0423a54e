"""What every command stands on: the connection, what is typed and printed, files, and batches of commands."""
