"""What a client would trust."""
