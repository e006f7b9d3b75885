"""The processes: one master, its workers, and what they tell each other."""
