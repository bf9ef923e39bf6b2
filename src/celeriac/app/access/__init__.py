"""Who asks, what they may, and what is kept of it: sign-on, sessions, tokens, roles, and the audit trail."""
