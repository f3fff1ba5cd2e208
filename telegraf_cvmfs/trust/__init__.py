"""Would a client accept what is served: keys, certificates, blacklists, and the chain that they make."""
