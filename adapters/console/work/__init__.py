"""What people have to do, and the command that does it: ``fulfilment work``."""
