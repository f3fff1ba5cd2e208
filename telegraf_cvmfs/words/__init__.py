"""Words for people: spans of time, and strangers' text made fit to be shown. Neither sockets nor clocks."""
