"""Who is asking: sessions, tokens and share links, forms that only our own pages can send, sign-in."""
