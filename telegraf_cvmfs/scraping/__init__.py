"""What to ask a server, in which order, and what to make of the answers: `visit` says it in jobs, `engine` drives them.

Not called `scrape`: that is the library's function, which a folder of this name would hide.
"""
