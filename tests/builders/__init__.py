"""What tests make: documents, servers, runs, and whole worlds of them."""
