"""A public status page that tells only what is allowed: static files, made from kept runs."""
