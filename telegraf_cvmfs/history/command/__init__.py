"""The sub-commands `history` and `report`."""
