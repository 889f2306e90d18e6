"""What every page shares: request context, CSRF, errors, forms, templates, charts, assets."""
