"""What happened, told as traces: spans are made from what is on record, when it is."""
