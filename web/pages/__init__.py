"""Pages for people: readable without JavaScript, kept up to date with it."""
