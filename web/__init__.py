"""The web application: live page, frames and products, JSON API, status feed."""
