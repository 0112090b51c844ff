"""The application shell: settings, errors, logging, clock, command line, embedded services."""
