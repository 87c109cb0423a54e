"""What the service finds when it looks over itself, its machine and its database: each with what to do about it."""
