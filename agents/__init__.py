"""The Faust application and one package per agent."""
