"""What may be sent, who sends it, and what runs strategies. The log is the outbox; venues answer through one door."""
