"""Messages to customers, suppliers and staff: put into words, handed to a sender, and what came of it."""
