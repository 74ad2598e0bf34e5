"""What an auditor asks of the log, and the answers: verified, failed or not covered."""
