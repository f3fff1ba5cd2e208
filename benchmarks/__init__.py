"""How long a scrape takes beside what others take for less, and what verification costs."""
