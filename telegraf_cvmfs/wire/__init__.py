"""What a stratum serves, document by document: bytes in, the nouns of `model` out.

Everything in here is pure. A document that is not what it claims to be is a `ParseError` with one short
sentence, and nothing but a `ParseError`, whatever the bytes: they come from a stranger.
"""
