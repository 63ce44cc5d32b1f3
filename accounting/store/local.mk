# accounting/store
