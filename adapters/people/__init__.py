"""People: whose a contact is, who saw their data, and how long that is kept."""
