"""The documents, and the program that writes what a program can know of them."""
