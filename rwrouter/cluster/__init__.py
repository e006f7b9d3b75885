"""What the servers are: questions to ask them, and how to read the answers."""
