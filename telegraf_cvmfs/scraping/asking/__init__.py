"""How servers are asked, whatever for: `job` is what asks, `engine` drives all of them at the same time."""
