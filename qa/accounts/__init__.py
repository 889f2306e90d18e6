"""Who works here and what each may do: users, teams, roles, sign-in and the policy page."""
