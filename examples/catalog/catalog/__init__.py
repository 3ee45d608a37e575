"""The parts of the demo that loads a catalogue through Layer and asks it three questions, and fetches."""
