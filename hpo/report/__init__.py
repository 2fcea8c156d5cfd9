"""Reports of a sweep that need no server: the page as one file, and text with pictures."""
