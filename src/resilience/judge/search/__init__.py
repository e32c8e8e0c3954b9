"""Where a target breaks: what to try next, what a step showed, and what is to be said of it all. Pure."""
