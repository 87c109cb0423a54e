"""Who may do what: clients with their tokens, roles, and the gate that every call passes."""
