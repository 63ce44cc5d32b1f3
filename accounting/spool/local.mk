# accounting/spool
