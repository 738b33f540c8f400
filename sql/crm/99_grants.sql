-- Nothing for PUBLIC: crm.grant_access() says which roles may come in.

revoke all on all tables in schema crm from public;
revoke all on all functions in schema crm from public;
