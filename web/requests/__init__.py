"""Requests in the browser and over HTTP: what may be asked, how it is shown."""
