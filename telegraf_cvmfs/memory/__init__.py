"""What earlier runs saw: a value, and the file in which it lies between them."""
