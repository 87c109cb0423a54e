"""What is true: facts, the decisions that make them, and the serial engine that stores them."""
