"""Who a token is, asked at its home's Keystone: what to send, and issuing, validating, revoking tokens."""
