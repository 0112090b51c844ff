"""The pages of a night: how it goes, field by field and frame by frame, and what people order."""
