"""What tests share. No test file imports another; both import from here."""
