"""What is asked of servers, in whole runs too."""
