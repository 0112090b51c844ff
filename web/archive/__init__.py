"""The archive: questions to the frame index, and what calibrations a frame would be reduced with."""
