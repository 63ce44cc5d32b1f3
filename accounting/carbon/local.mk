# accounting/carbon
