"""What a statement is: digest, tokens, classification, plans."""
