"""Published tables on the pages and in the interface: listed, described, uploaded, dropped."""
