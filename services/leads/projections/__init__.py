"""The screens of leads and the queries that read them."""
